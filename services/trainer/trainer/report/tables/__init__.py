"""Tables of a report as text, for the terminal, Markdown and HTML alike."""
