"""`trainer app` and `trainer consumer`: the two processes of this service."""

from marquee.process import run


def main() -> None:
    run(app="trainer.app", consumer="trainer.consumer")


if __name__ == "__main__":
    main()
