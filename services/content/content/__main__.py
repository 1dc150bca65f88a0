"""`content app` and `content consumer`: the two processes of this service."""

from marquee.process import run


def main() -> None:
    run(app="content.app", consumer="content.consumer")


if __name__ == "__main__":
    main()
