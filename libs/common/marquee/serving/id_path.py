"""Numbers of ids in paths: `{movie_id:id}` also takes the negative number of a string."""

from starlette.convertors import Convertor, register_url_convertor


class IdConvertor(Convertor[int]):
    """A number of an id as a part of a path."""

    regex = "-?[0-9]+"

    def convert(self, value: str) -> int:
        """Return the number."""
        return int(value)

    def to_string(self, value: int) -> str:
        """Return the part of the path."""
        return str(int(value))


register_url_convertor("id", IdConvertor())
