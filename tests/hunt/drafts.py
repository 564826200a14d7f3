"""A draft that is written and read again."""

from lowtide.hunt import credentials
from lowtide.hunt.discover import base_url, fetched, from_openapi
from lowtide.hunt.draft import written
from lowtide.hunt.flowfile import read


def drafted(text, folder):
    """Do what the command does; return the flows that it wrote."""
    document_path, path = folder / "openapi", folder / "flows.yaml"
    document_path.write_text(text, encoding="utf-8")
    document = fetched(str(document_path))
    service = base_url(str(document_path), document)
    content = written(service, from_openapi(document), credentials.of_document(document))
    path.write_text(content, encoding="utf-8")
    return read(str(path)).flows
