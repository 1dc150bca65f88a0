"""Write what is made of the client libraries: `make clients`."""

from marquee_testing.clients.files import python_files

for path, text in python_files().items():
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
