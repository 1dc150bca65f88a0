"""Neural service: a trained network's ranking, served with numpy."""
