"""Log of the update: lines that the provider shows to the user, through Pulumi's engine."""

from __future__ import annotations

import sys

import grpc

from runyard.pulumi.protocol import engine_pb2, engine_pb2_grpc


class Log:
    """Pulumi's log at the address that its engine gave; without one, standard error."""

    def __init__(self, address: str) -> None:
        self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address)) if address else None

    def tell(self, text: str) -> None:
        """Show a line; where Pulumi cannot take it, on standard error, which it shows too."""
        if self._engine is not None:
            try:
                self._engine.Log(engine_pb2.LogRequest(severity=engine_pb2.INFO, message=text))
                return
            except grpc.RpcError:
                pass
        print(text, file=sys.stderr, flush=True)
