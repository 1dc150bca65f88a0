"""`neural app` and `neural consumer`: the two processes of this service."""

from marquee.process import run


def main() -> None:
    run(app="neural.app", consumer="neural.consumer")


if __name__ == "__main__":
    main()
