"""`python -m trainer.cli`: the command `marquee`."""

from trainer.cli.start import main

main()
