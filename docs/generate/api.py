"""docs/api.md, made from the comments of the protos, the classes of errors and the README's table of what to do about them."""

from collections.abc import Iterator, Sequence

from google.protobuf import descriptor_pb2

from docs.generate.cross_links import Links, service_of
from docs.generate.markdown import link_to, sentences, table
from docs.generate.protos import ENUM_VALUE, MESSAGE_FIELD, MESSAGE_ONEOF, SERVICE_METHOD, Place, ProtoFile, read_protos
from docs.generate.reasons import reasons_of, remedy_of

Field = descriptor_pb2.FieldDescriptorProto
Method = descriptor_pb2.MethodDescriptorProto

INTRODUCTION = """\
<!-- Made by `make docs` from the protos, the classes of errors and the README's table of errors; changes belong there. -->

# API

What each method promises, and every message, field and error. [requests.md](requests.md) has a line to try for each method, and
[clients/](../clients/README.md) the start in other languages. The protos themselves are in `protos/`, and import nothing but
`google/protobuf/*`; every service also answers `grpc.health.v1.Health` and server reflection.

"""
ERRORS = """
## Errors

Every error that a service answers is a `google.rpc.Status`, carried by the header `grpc-status-details-bin`. Its details hold one
`google.rpc.ErrorInfo` with the domain `recordshop`, a reason and, where that says more, ids and figures as metadata. INVALID_ARGUMENT has
a `google.rpc.BadRequest` beside it, OVERLOADED a `google.rpc.RetryInfo`. An entry of a batch or a stream that failed has the same code,
reason and metadata as its result, in an `EntryError`.

An error without an ErrorInfo is not the service's own, but of gRPC or of something between. DEADLINE_EXCEEDED, CANCELLED and UNAVAILABLE
tell nothing about what was done: ask again with the same ids. RESOURCE_EXHAUSTED is a message that is too large, UNIMPLEMENTED a method
that the service does not have.
"""


def render() -> str:
    """Return the page."""
    files = read_protos()
    links = Links(files)
    return INTRODUCTION + "".join([*_contents(files, links), *_files(files, links), ERRORS, *_errors(files)])


def _contents(files: Sequence[ProtoFile], links: Links) -> Iterator[str]:
    rows = []
    for file in files:
        for service, place in file.services():
            for index, method in enumerate(service.method):
                comment = links.in_text(_first_paragraph(file, (*place, SERVICE_METHOD, index)), file)
                rows.append((service.name, links.to(file, f"{service.name}.{method.name}", method.name), comment))
    yield table(("service", "method", "what it does"), rows)
    yield f"\nWhat a failed call means stands under {link_to('Errors')}.\n"


def _files(files: Sequence[ProtoFile], links: Links) -> Iterator[str]:
    for file in files:
        yield f"\n## {file.descriptor.name.removeprefix('recordshop/')}\n\n{_prose(file.comment)} Package `{file.package}`.\n"
        for service, place in file.services():
            yield _heading(3, file, service.name)
            yield f"\n{links.in_text(_prose(file.comments.get(place, '')), file, apart_from=service.name)}\n"
            for index, method in enumerate(service.method):
                yield from _method(file, service.name, method, (*place, SERVICE_METHOD, index), links)
        for name, message, place in file.messages():
            yield from _message(file, name, message, place, links)
        for name, enum, place in file.enums():
            yield from _enum(file, name, enum, place, links)


def _method(file: ProtoFile, service: str, method: Method, place: Place, links: Links) -> Iterator[str]:
    yield _heading(4, file, f"{service}.{method.name}", method.name)
    request = f"{'a stream of ' if method.client_streaming else ''}{links.to_type(method.input_type)}"
    answer = f"{'a stream of ' if method.server_streaming else ''}{links.to_type(method.output_type)}"
    yield f"\nTakes {request}, answers {answer}.\n"
    yield f"\n{links.in_text(_prose(file.comments.get(place, '')), file, apart_from=method.name)}\n"


def _message(
    file: ProtoFile, name: str, message: descriptor_pb2.DescriptorProto, place: Place, links: Links
) -> Iterator[str]:
    yield _heading(3, file, name)
    yield f"\n{links.in_text(_prose(file.comments.get(place, '')), file, apart_from=name)}\n\n"
    rows = []
    for index, field in enumerate(message.field):
        comment = file.comments.get((*place, MESSAGE_FIELD, index), "")
        if field.HasField("oneof_index") and not field.proto3_optional:
            choice = message.oneof_decl[field.oneof_index].name
            comment = f"One of `{choice}`. {comment}"
        rows.append((f"`{field.name}`", _type(message, field, links), links.in_text(comment, file, apart_from=name)))
    yield table(("field", "type", "meaning"), rows) if rows else "It has no fields.\n"
    for index, oneof in enumerate(message.oneof_decl):
        if about := file.comments.get((*place, MESSAGE_ONEOF, index)):
            yield f"\n`{oneof.name}`: {sentences(about)}\n"


def _enum(
    file: ProtoFile, name: str, enum: descriptor_pb2.EnumDescriptorProto, place: Place, links: Links
) -> Iterator[str]:
    yield _heading(3, file, name)
    yield f"\n{_prose(file.comments.get(place, ''))}\n\n"
    comments = [file.comments.get((*place, ENUM_VALUE, index), "") for index in range(len(enum.value))]
    rows = zip(enum.value, comments, strict=True)
    yield table(
        ("value", "number", "meaning"),
        [(f"`{value.name}`", str(value.number), links.in_text(text, file)) for value, text in rows],
    )


def _errors(files: Sequence[ProtoFile]) -> Iterator[str]:
    for package in dict.fromkeys(file.package for file in files):
        service = service_of(package)
        yield f"\n### Errors of the {service} service\n\n"
        yield table(
            ("reason", "code", "what it says", "what to do"),
            [
                (f'<a id="{service}.{each.name}"></a>`{each.name}`', each.code, each.message, remedy_of(each))
                for each in reasons_of(service)
            ],
        )


def _heading(level: int, file: ProtoFile, name: str, shown: str = "") -> str:
    # With an anchor of its own: two packages may have messages of one name.
    return f'\n{"#" * level} <a id="{file.package}.{name}"></a>{shown or name}\n'


def _type(message: descriptor_pb2.DescriptorProto, field: Field, links: Links) -> str:
    for entry in message.nested_type:
        if entry.options.map_entry and field.type_name.endswith(f".{entry.name}"):
            return f"map of {_type(entry, entry.field[0], links)} to {_type(entry, entry.field[1], links)}"
    named = (
        links.to_type(field.type_name) if field.type_name else Field.Type.Name(field.type).removeprefix("TYPE_").lower()
    )
    if field.label == Field.LABEL_REPEATED:
        return f"list of {named}"
    return f"optional {named}" if field.proto3_optional else named


def _prose(comment: str) -> str:
    return "\n\n".join(sentences(paragraph) for paragraph in comment.split("\n\n"))


def _first_paragraph(file: ProtoFile, place: Place) -> str:
    return sentences(file.comments.get(place, "").split("\n\n")[0])
