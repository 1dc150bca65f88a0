"""The command `marquee`: one module a group of subcommands."""
