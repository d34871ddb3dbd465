# SPDX-License-Identifier: Apache-2.0
"""Modbus TCP servers over given registers, {unit: {address: value}}: pymodbus in a process of its own, and one written here, whose
units can also damage what they say."""
import json
import pathlib
import socket
import socketserver
import struct
import subprocess
import sys
import threading

import harness



class Server:
    def __init__(self, registers, faults=None):
        self.registers, self.faults, self.held = registers, faults or {}, b""
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def handler(self):
        serve = self.serve

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                while len(head := self.rfile.read(6)) == 6:
                    if not serve(self.connection, head, self.rfile.read(struct.unpack(">H", head[4:])[0])):
                        return  # and the connection ends

        return Handler

    def serve(self, connection, head, body):
        unit, function, address, count = struct.unpack(">BBHH", body)
        fault = self.faults.get(unit)
        known = self.registers.get(unit, {})
        if fault == "gateway":
            pdu = bytes([function | 0x80, 11])
        elif fault == "illegal_address" or any(address + i not in known for i in range(count)):
            pdu = bytes([function | 0x80, 2])
        else:
            pdu = struct.pack(f">BB{count}H", function, count * 2, *(known[address + i] for i in range(count)))
        said = 99 if fault == "wrong_unit" else unit
        frame = head[:4] + struct.pack(">HB", len(pdu) + 1, said) + pdu
        late, self.held = self.held, b""
        if fault == "late":
            self.held = frame  # goes out when nobody waits for it any more
        connection.sendall(late + {"silent": b"", "late": b"", "garbage": b"HTTP/1.1 400 Bad Request\r\n\r\n",
                                   "truncated": frame[:-3]}.get(fault, frame))
        return fault != "truncated"


PYMODBUS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from pymodbus.datastore import ModbusDeviceContext, ModbusServerContext, ModbusSparseDataBlock
from pymodbus.server import StartTcpServer
units = json.load(open(sys.argv[2]))
devices = {int(unit): ModbusDeviceContext(hr=ModbusSparseDataBlock({int(at) + 1: value for at, value in known.items()}))
           for unit, known in units.items()}
StartTcpServer(ModbusServerContext(devices=devices, single=False), address=("127.0.0.1", int(sys.argv[3])))
"""


class Pymodbus:
    """None of this where pip can't bring it: see installed()."""

    def __init__(self, registers, folder, oracles):
        path = folder / "registers.json"
        path.write_text(json.dumps(registers))
        self.port = harness.free_port()
        self.process = subprocess.Popen([sys.executable, "-c", PYMODBUS, str(oracles), str(path), str(self.port)])
        harness.wait_for("pymodbus to listen", self.listens)

    def listens(self):
        if self.process.poll() is not None:
            raise AssertionError(f"pymodbus ended with {self.process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=10):
                return True
        except OSError:
            return False

    def close(self):
        self.process.kill()
        self.process.wait()


def installed(oracles):
    """Whether pymodbus is in the folder; pip is asked to bring it, once."""
    if not (oracles / "pymodbus").is_dir():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target",
                        str(oracles), "-r", str(pathlib.Path(__file__).with_name("requirements-modbus.txt"))], check=False,
                       stderr=subprocess.DEVNULL)
    return (oracles / "pymodbus").is_dir()
