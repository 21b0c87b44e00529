"""gRPC's own Python packages as clients of what the server has beside A2A.

Usage: `grpc_services.py URL`. Exits with 1 when a check failed.
"""

import sys

import grpc

from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from runner import equal, passes


A2A = {
    'lf.a2a.v1.A2AService': ('SendMessage', 'lf.a2a.v1.SendMessageRequest'),
    'a2a.v1.A2AService': ('TaskSubscription', 'a2a.v1.TaskSubscriptionRequest'),
}


def lists_services(channel):
    listed = set(ProtoReflectionDescriptorDatabase(channel).get_services())
    wanted = {
        *A2A,
        'grpc.health.v1.Health',
        'grpc.reflection.v1.ServerReflection',
        'grpc.reflection.v1alpha.ServerReflection',
    }
    equal('the services are', listed, wanted)


def describes_services(channel):
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    for name, (method, message) in A2A.items():
        found = pool.FindServiceByName(name).FindMethodByName(method)
        equal(f'{name} takes', found.input_type.full_name, message)


def is_healthy(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    for name in ('', *A2A):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=name))
        equal(f'`{name}` is', answer.status, health_pb2.HealthCheckResponse.SERVING)
    try:
        stub.Check(health_pb2.HealthCheckRequest(service='nobody'))
    except grpc.RpcError as refusal:
        equal('the refusal is', refusal.code(), grpc.StatusCode.NOT_FOUND)
    else:
        raise AssertionError('a service that is not there has a health')


CHECKS = [lists_services, describes_services, is_healthy]


if __name__ == '__main__':
    with grpc.insecure_channel(sys.argv[1].split('://')[-1]) as to_server:
        results = [passes(check.__name__, check, to_server) for check in CHECKS]
    sys.exit(0 if all(results) else 1)
