"""What every HTTP server of Marquee bounds: connections, requests, and the work for a caller."""
