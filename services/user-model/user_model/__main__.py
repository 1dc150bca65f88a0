"""`user-model app` and `user-model consumer`: the two processes of this service."""

from marquee.process import run


def main() -> None:
    run(app="user_model.app", consumer="user_model.consumer")


if __name__ == "__main__":
    main()
