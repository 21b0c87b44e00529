"""gRPC's own Python packages as clients of what the server has beside A2A.

Usage: `grpc_services.py URL`. Prints `pass NAME` or `fail NAME: reason` for every check; exits
with 1 when one failed.
"""

import sys

import grpc

from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)


A2A = {
    'lf.a2a.v1.A2AService': ('SendMessage', 'lf.a2a.v1.SendMessageRequest'),
    'a2a.v1.A2AService': ('TaskSubscription', 'a2a.v1.TaskSubscriptionRequest'),
}


def equal(what, got, wanted):
    if got != wanted:
        raise AssertionError(f'{what} {got!r}, not {wanted!r}')


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


def passes(check, channel):
    try:
        check(channel)
    # Whatever a check raises, the ones after it still have something to say.
    except Exception as error:
        print(f'fail {check.__name__}: {" ".join(str(error).split())}', flush=True)
        return False
    print(f'pass {check.__name__}', flush=True)
    return True


if __name__ == '__main__':
    with grpc.insecure_channel(sys.argv[1].split('://')[-1]) as to_server:
        sys.exit(0 if all([passes(check, to_server) for check in CHECKS]) else 1)
