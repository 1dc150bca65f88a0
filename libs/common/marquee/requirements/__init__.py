"""Requirements of servers and the state folder, for `marquee doctor` and each process's start."""
