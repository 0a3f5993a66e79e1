"""A message type that the generator of its day would have written."""

from google.protobuf import descriptor_pb2, message_factory, symbol_database

described = descriptor_pb2.FileDescriptorProto(name="sensor.proto", package="demo")
message = described.message_type.add(name="Reading")
message.field.add(name="celsius", number=1, type=1, label=1)
pool = symbol_database.Default().pool
pool.Add(described)
prototype = message_factory.MessageFactory(pool).GetPrototype
reading = prototype(pool.FindMessageTypeByName("demo.Reading"))(celsius=21.5)
assert type(reading).FromString(reading.SerializeToString()).celsius == 21.5
