"""`python -m trainer.cli`: the command `marquee`."""

from trainer.cli.main import main

main()
