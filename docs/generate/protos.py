"""Reads the protos with their comments, as protoc understands them."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from google.protobuf import descriptor_pb2
from grpc_tools import _proto, protoc

PROTOS = Path(__file__).parents[2] / "protos"

# Where protoc's source info keeps things: numbers of fields of FileDescriptorProto and DescriptorProto (descriptor.proto).
SYNTAX, FILE_MESSAGE, FILE_ENUM, FILE_SERVICE = 12, 4, 5, 6
MESSAGE_FIELD, MESSAGE_MESSAGE, MESSAGE_ENUM, MESSAGE_ONEOF = 2, 3, 4, 8
ENUM_VALUE, SERVICE_METHOD = 2, 2

Place: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class ProtoFile:
    """A file of the protos, and the comment at each place in it."""

    descriptor: descriptor_pb2.FileDescriptorProto
    comments: Mapping[Place, str]

    @property
    def comment(self) -> str:
        """The comment at the top of the file."""
        return self.comments.get((SYNTAX,), "")

    @property
    def package(self) -> str:
        """The package, as in recordshop.order.v1."""
        return self.descriptor.package

    def services(self) -> Iterator[tuple[descriptor_pb2.ServiceDescriptorProto, Place]]:
        """The services, each with its place."""
        return ((service, (FILE_SERVICE, index)) for index, service in enumerate(self.descriptor.service))

    def messages(self) -> Iterator[tuple[str, descriptor_pb2.DescriptorProto, Place]]:
        """The messages, nested ones too, each with its name inside the package and its place; not those that protoc makes for maps."""
        for index, message in enumerate(self.descriptor.message_type):
            yield from _messages(message.name, message, (FILE_MESSAGE, index))

    def enums(self) -> Iterator[tuple[str, descriptor_pb2.EnumDescriptorProto, Place]]:
        """The enums, nested ones too, each with its name inside the package and its place."""
        for index, enum in enumerate(self.descriptor.enum_type):
            yield enum.name, enum, (FILE_ENUM, index)
        for name, message, place in self.messages():
            for index, enum in enumerate(message.enum_type):
                yield f"{name}.{enum.name}", enum, (*place, MESSAGE_ENUM, index)


def read_protos() -> Sequence[ProtoFile]:
    """Read all protos, in the order of their paths; SystemExit if one is wrong, which protoc says."""
    sources = sorted(PROTOS.glob("recordshop/*/v1/*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "protos.binpb"
        arguments = [f"-I{PROTOS}", f"-I{_proto.__path__[0]}", "--include_source_info", f"--descriptor_set_out={out}"]
        if protoc.main(["protoc", *arguments, *map(str, sources)]) != 0:
            raise SystemExit("protoc refused the protos")
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
    return [
        ProtoFile(file, {tuple(each.path): each.leading_comments for each in file.source_code_info.location})
        for file in files
    ]


def _messages(
    name: str, message: descriptor_pb2.DescriptorProto, place: Place
) -> Iterator[tuple[str, descriptor_pb2.DescriptorProto, Place]]:
    if message.options.map_entry:
        return
    yield name, message, place
    for index, nested in enumerate(message.nested_type):
        yield from _messages(f"{name}.{nested.name}", nested, (*place, MESSAGE_MESSAGE, index))
