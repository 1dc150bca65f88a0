"""`gateway app` and `gateway consumer`: the two processes of this service."""

from marquee.process import run


def main() -> None:
    run(app="gateway.app", consumer="gateway.consumer")


if __name__ == "__main__":
    main()
