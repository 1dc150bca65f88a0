"""Write what is made of the client libraries: `make clients`."""

import sys

from marquee_testing.clients.files import (
    TYPES,
    TYPESCRIPT,
    python_files,
    typescript_files,
    typescript_part,
)
from marquee_testing.clients.typescript import digest_of, named_digest, types_module

for path, text in {**python_files(), **typescript_files()}.items():
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
part = typescript_part()
if (TYPESCRIPT / "node_modules/.bin/openapi-typescript").exists():
    TYPES.write_text(types_module(part, TYPESCRIPT))
elif named_digest(TYPES.read_text()) != digest_of(part):
    sys.exit("clients: the types of the TypeScript client are not current: install Node with npm")
