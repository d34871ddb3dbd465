#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Our AIS events against two independent decoders, field by field, over every log of the corpus.

usage: test_ais_corpus.py AIS_DUMP ORACLES

ais_dump sends a log through tap, record encoding, normalizer and Avro and prints the events as JSON. gpsdecode (gpsd)
and pyais decoded the same logs; their output lies beside the logs. live_feed_42k.nmea has no decode beside it:
gpsdecode, if installed, and pyais, which is installed into the folder ORACLES if it can be, decode it on the spot.

What they say is turned into what our fields must hold by the rules of ITU-R M.1371-5 written down here, independently
of the C code. Each difference must fall under one of the rules in EXPLAINED, which are as narrow as they can be; any
other fails the test.

Exit code 77: no corpus.
"""
import calendar
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = pathlib.Path(os.environ.get("HEADRACE_CORPUS", ROOT.parent / "shared" / "corpus")) / "ais"
TYPED = {1, 2, 3, 4, 5, 9, 11, 18, 19, 21, 24, 27}
DERIVED = ["aislib__stream_example", "gpsd__daemon__ais-18-27", "gpsd__daemon__ais-nmea", "gpsd__sample",
           "libais__typeexamples", "pyais__nmea_data_sample"]
PYAIS_ENUM = {("ship_type", n): None for n in [*range(1, 20), 38, 39, *range(100, 256)]}
PYAIS_ENUM.update({("ship_type", tens + n): tens + 5 for tens in (20, 40, 60, 70, 80, 90) for n in (6, 7, 8)})
PYAIS_ENUM.update({("epfd", n): None for n in range(9, 15)})
DIMENSIONS = ("to_bow", "to_stern", "to_port", "to_starboard")

# name: why it is no error of ours. Comparison.explanation has the condition of each.
EXPLAINED = {
    "cut field": "the message ends within this field (decode_status short): ours is null, theirs made of the bits left",
    "leading blank": "pyais cuts spaces off both ends of a text, ours only trailing ones",
    "not in the enum": "pyais gives 0 or the tens' general type for ship types and devices that are reserved",
    "text behind @": "pyais goes on behind the '@' that ends a text",
    "blanks before extension": "pyais cuts the blanks between an aid's name and its extension",
    "odd fill": "message: pyais keeps fill bits in the middle of a message, and 6 of them at its end; our tap drops them",
    "wrong parts": "message: they join a first part with another second part than the next one of its sequence id",
    "old vendor id": "gpsd reads the vendor id as edition 3 had it, 7 characters; editions 4 and 5 have 3, then numbers",
}


def unless(value, *not_available):
    return None if value in not_available else value


def within(value, low, high):
    return value if value is not None and low <= value <= high else None


def second_fields(second):
    return {"utc_second": second if second < 60 else None, "time_stamp_mode": second if second > 60 else None}


def utc_micros(year, month, day, hour, minute, second):
    """Microseconds since 1970, or None when a part is not available or the date doesn't exist."""
    if not (1 <= year <= 9999 and 1 <= month <= 12 and hour < 24 and minute < 60 and second < 60):
        return None
    if not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    return calendar.timegm((year, month, day, hour, minute, second)) * 1000000


def comm_fields(message_type, radio):
    if message_type in (9, 18):
        return {"comm_state_selector": radio >> 19, "comm_state": radio & 0x7FFFF}
    return {"comm_state": radio}


def dimension_fields(said):
    if not all(said.get(name) is not None for name in DIMENSIONS):
        return {}
    zero = all(said[name] == 0 for name in DIMENSIONS)
    return {name + "_m": None if zero else said[name] for name in DIMENSIONS}


def text(value):
    return value.rstrip(" ") or None


def eta_fields(month, day, hour, minute):
    return {"eta_month": within(month, 1, 12), "eta_day": within(day, 1, 31), "eta_hour": within(hour, 0, 23),
            "eta_minute": within(minute, 0, 59)}


# Fields that both decoders name alike and that hold the same thing in every type that has them.
COMMON = {
    "repeat": ("repeat_indicator", lambda v: v),
    "mmsi": ("mmsi", lambda v: v),
    "status": ("nav_status", lambda v: v),
    "accuracy": ("position_accurate", bool),
    "heading": ("heading_deg", lambda v: within(v, 0, 359)),
    "maneuver": ("maneuver", lambda v: within(v, 1, 2)),
    "raim": ("raim", bool),
    "assigned": ("assigned_mode", bool),
    "epfd": ("epfd", lambda v: unless(v, 0)),
    "imo": ("imo_number", lambda v: unless(v, 0)),
    "ais_version": ("ais_version", lambda v: v),
    "callsign": ("callsign", text),
    "shipname": ("vessel_name", text),
    "destination": ("destination", text),
    "dte": ("dte_ready", lambda v: not v),
    "alt": ("altitude_m", lambda v: unless(v, 4095)),
    "cs": ("carrier_sense_unit", bool),
    "display": ("has_display", bool),
    "dsc": ("has_dsc", bool),
    "band": ("whole_band", bool),
    "msg22": ("accepts_message_22", bool),
    "aid_type": ("aid_type", lambda v: unless(v, 0)),
    "off_position": ("off_position", bool),
    "virtual_aid": ("virtual_aid", bool),
    "vendorid": ("vendor_id", text),
    "model": ("unit_model", lambda v: v),
    "serial": ("unit_serial", lambda v: v),
    "mothership_mmsi": ("mothership_mmsi", lambda v: unless(v, 0)),
    "gnss": ("position_latency", bool),
}


def common_fields(said):
    fields = {ours: rule(said[theirs]) for theirs, (ours, rule) in COMMON.items() if said.get(theirs) is not None}
    if said.get("second") is not None and "year" not in said:
        fields.update(second_fields(said["second"]))
    fields.update(dimension_fields(said))
    return fields


def gpsd_fields(said):
    """What our fields must be, from a line of gpsdecode -u -j (raw integers): exact to the last bit."""
    kind = said["type"]
    fields = dict(common_fields(said), message_type=kind)
    if kind not in TYPED:
        return {name: fields[name] for name in ("message_type", "repeat_indicator", "mmsi")}
    per_degree = 600 if kind == 27 else 600000
    per_knot = 1 if kind in (9, 27) else 10
    if "lon" in said:
        fields["longitude_deg"] = said["lon"] / per_degree if abs(said["lon"]) <= 180 * per_degree else None
        fields["latitude_deg"] = said["lat"] / per_degree if abs(said["lat"]) <= 90 * per_degree else None
    if "speed" in said:
        limit = 63 if kind == 27 else 1023
        fields["sog_kn"] = said["speed"] / per_knot if said["speed"] < limit else None
    if "course" in said:
        fields["cog_deg"] = (within(said["course"], 0, 359) if kind == 27 else
                             said["course"] / 10 if said["course"] < 3600 else None)
    if "turn" in said:
        fields["rot_indicator"] = unless(said["turn"], -128)
        fields["rot_deg_min"] = rot(said["turn"])
    if "radio" in said:
        fields.update(comm_fields(kind, said["radio"]))
    if "timestamp" in said:
        fields["station_time"] = gpsd_time(said["timestamp"])
    if "eta" in said:
        date, clock = said["eta"].rstrip("Z").split("T")
        fields.update(eta_fields(*map(int, date.split("-") + clock.split(":"))))
    if "draught" in said:
        fields["draught_m"] = unless(said["draught"] / 10, 0)
    if "shiptype" in said:
        fields["ship_type"] = unless(said["shiptype"], 0)
    if kind == 21:
        fields["aid_name"] = text(said["name"])
        fields["aid_status_bits"] = said["regional"]
    return fields


def gpsd_time(stamp):
    date, clock = stamp.rstrip("Z").split("T")
    return utc_micros(*map(int, date.split("-") + clock.split(":")))


def rot(indicator):
    if abs(indicator) >= 127:
        return None
    root = indicator / 4.733
    return -(root * root) if indicator < 0 else root * root


def pyais_fields(said):
    """What our fields must be, from pyais (scaled values): up to its rounding, which about() allows for."""
    kind = said["msg_type"]
    fields = dict(common_fields(said), message_type=kind)
    if kind not in TYPED:
        return {name: fields[name] for name in ("message_type", "repeat_indicator", "mmsi") if name in fields}
    if said.get("lon") is not None:
        fields["longitude_deg"] = about(within(said["lon"], -180, 180), 6)
    if said.get("lat") is not None:
        fields["latitude_deg"] = about(within(said["lat"], -90, 90), 6)
    if said.get("speed") is not None:
        fields["sog_kn"] = unless(said["speed"], {9: 1023, 27: 63}.get(kind, 102.3))
    if said.get("course") is not None:
        fields["cog_deg"] = within(said["course"], 0, 359.9)
    if said.get("turn") is not None:
        # Rounded to whole degrees a minute; the three special values stand for themselves.
        fields["rot_deg_min"] = None if abs(said["turn"]) in (127, 128) else about(said["turn"], 0)
    if said.get("radio") is not None:
        fields.update(comm_fields(kind, said["radio"]))
    if kind in (4, 11) and said.get("second") is not None:
        fields["station_time"] = utc_micros(*(said[part] for part in
                                              ("year", "month", "day", "hour", "minute", "second")))
    if kind == 5 and said.get("minute") is not None:
        fields.update(eta_fields(said["month"], said["day"], said["hour"], said["minute"]))
    if said.get("draught") is not None:
        fields["draught_m"] = unless(said["draught"], 0)
    if said.get("ship_type") is not None:
        fields["ship_type"] = unless(said["ship_type"], 0)
    if kind == 21:
        fields["aid_name"] = text(said["full_name"]) if said.get("full_name") is not None else None
        fields["aid_status_bits"] = said["reserved_1"]
    if kind == 24 and said.get("partno") is not None:
        fields["part_number"] = said["partno"]
    return fields


class about:
    """A value that the other decoder rounded."""

    def __new__(cls, value, digits):
        return None if value is None else super().__new__(cls)

    def __init__(self, value, digits):
        self.value, self.digits = value, digits

    def __eq__(self, ours):
        return ours is not None and abs(ours - self.value) <= 0.5000001 * 10 ** -self.digits

    def __repr__(self):
        return f"{self.value} (+-)"


class Comparison:
    def __init__(self):
        self.compared = collections.Counter()   # (decoder, type) -> fields
        self.messages = collections.Counter()   # (decoder, type) -> messages
        self.explained = collections.Counter()  # (decoder, rule) -> fields
        self.differences = []

    def event(self, decoder, log, ours, fields):
        key = (decoder, fields["message_type"])
        self.messages[key] += 1
        for name, theirs in fields.items():
            if theirs == ours[name] and type(theirs) is not bool or theirs is ours[name]:
                self.compared[key] += 1
                continue
            rule = self.explanation(decoder, name, ours, theirs)
            if rule is not None:
                self.explained[decoder, rule] += 1
                continue
            self.differences.append(f"{log}: {decoder}: type {fields['message_type']} {name}: theirs {theirs!r}, ours "
                                    f"{ours[name]!r}: {ours['payload']}")

    @staticmethod
    def explanation(decoder, name, ours, theirs):
        value = ours[name]
        if value is None and ours["decode_status"] == "short":
            return "cut field"
        if decoder == "pyais" and isinstance(value, str) and value.startswith(" ") and theirs == text(value.strip(" ")):
            return "leading blank"
        if decoder == "pyais" and (name, value) in PYAIS_ENUM and theirs == PYAIS_ENUM[name, value]:
            return "not in the enum"
        if decoder == "pyais" and isinstance(theirs, str) and text(theirs.split("@")[0]) == value != theirs:
            return "text behind @"
        if (decoder, name) == ("pyais", "aid_name") and value is not None and \
                theirs == value[:20].strip(" ") + value[20:].strip(" "):
            return "blanks before extension"
        if (decoder, name) == ("gpsd", "vendor_id") and theirs is not None and text(theirs[:3]) == value:
            return "old vendor id"
        return None


def payload_of(raw):
    return "".join(line.split(",")[5] for line in raw.split("\n"))


def odd_fill(raw):
    fills = [line.split(",")[6][0] for line in raw.split("\n")]
    return fills[-1] == "6" or any(fill != "0" for fill in fills[:-1])


def wrong_parts(raw, log_lines):
    """Is each second part another than the next one in the log of the first's sequence and channel?"""
    parts = raw.split("\n")
    if len(parts) != 2:
        return False
    sequence = parts[0].split(",")[3:5]
    for at, line in enumerate(log_lines):
        if line == parts[0]:
            following = (later for later in log_lines[at + 1:] if later.split(",")[1:5] == ["2", "2", *sequence])
            if next(following, None) == parts[1]:
                return False
    return True


def compare_pyais(comparison, log, events, lines, log_lines):
    """pyais names the sentences, so events are found by payload, in order."""
    by_payload = collections.defaultdict(collections.deque)
    for event in events:
        by_payload[event["payload"]].append(event)
    for line in lines:
        said = line.get("decoded")
        if said is None or not line["valid_checksum"]:
            continue
        waiting = by_payload[payload_of(line["raw"])]
        if odd_fill(line["raw"]) or not waiting and wrong_parts(line["raw"], log_lines):
            comparison.explained["pyais", "odd fill" if odd_fill(line["raw"]) else "wrong parts"] += 1
        elif not waiting:
            comparison.differences.append(f"{log}: pyais decodes a message that we don't have: {line['raw']}")
        else:
            comparison.event("pyais", log, waiting.popleft(), pyais_fields(said))


def joined_across_sequences(fields, log_lines):
    """Is the first part of this message followed, on its channel, by a second part of another sequence id?"""
    bits = fields["message_type"] << 30 | fields["repeat_indicator"] << 28 | fields["mmsi"] >> 2
    sixes = [bits >> shift & 63 for shift in range(30, -1, -6)]
    begin = "".join(chr(six + 48 if six < 40 else six + 56) for six in sixes)
    for at, line in enumerate(log_lines):
        if line.split(",")[1:3] == ["2", "1"] and line.split(",")[5].startswith(begin):
            sequence, channel = line.split(",")[3:5]
            following = (later.split(",") for later in log_lines[at + 1:])
            second = next((part for part in following if part[1:3] == ["2", "2"] and part[4] == channel), None)
            if second is not None and second[3] != sequence:
                return True
    return False


def gpsd_key(fields):
    """Enough of a message to find it again; the alignment must find every line of gpsd's."""
    return tuple(fields.get(name) for name in ("message_type", "repeat_indicator", "mmsi", "longitude_deg",
                                               "utc_second"))


def compare_gpsd(comparison, log, events, lines, log_lines):
    """gpsdecode leaves messages out and names no sentence: its lines are a subsequence of our events. Its type 24 is
    both parts in one, at the place of the second."""
    at = 0
    parts = {}
    for said in lines:
        fields = gpsd_fields(said)
        start = at
        while at < len(events):
            event = events[at]
            at += 1
            if event["message_type"] == 24:
                parts[event["mmsi"], event["part_number"]] = event
            if fields["message_type"] == 24 and (event["message_type"], event["mmsi"]) == (24, fields["mmsi"]) and \
                    all((fields["mmsi"], part) in parts for part in (0, 1)):
                a, b = (parts[fields["mmsi"], part] for part in (0, 1))
                both = {name: a[name] if a[name] is not None else b[name] for name in a}
                comparison.event("gpsd", log, both, fields)
                break
            if fields["message_type"] != 24 and gpsd_key(fields) == tuple(
                    event[name] if name in fields else None for name in
                    ("message_type", "repeat_indicator", "mmsi", "longitude_deg", "utc_second")):
                comparison.event("gpsd", log, event, fields)
                break
        else:
            at = start
            if joined_across_sequences(fields, log_lines):
                comparison.explained["gpsd", "wrong parts"] += 1
            else:
                comparison.differences.append(f"{log}: gpsd decodes a message that we don't have, or not so: {said}")


def events_of(ais_dump, path):
    output = subprocess.run([ais_dump, str(path)], check=True, capture_output=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def json_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def lines_of(path):
    return path.read_text(encoding="latin-1").splitlines()


def gpsdecode_lines(path):
    """None when gpsdecode is not installed."""
    program = shutil.which("gpsdecode")
    if program is None:
        return None
    with open(path, "rb") as file:
        output = subprocess.run([program, "-u", "-j"], stdin=file, check=True, capture_output=True).stdout
    return [json.loads(line) for line in output.decode("utf-8", "replace").splitlines() if '"class":"AIS"' in line]


def install_oracles(folder):
    """Puts requirements.txt into the folder, once. Without pip or network the test does without."""
    sys.path.insert(0, str(folder))
    if not (folder / "pyais").is_dir():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target",
                        str(folder), "-r", str(pathlib.Path(__file__).with_name("requirements.txt"))], check=False,
                       stderr=subprocess.DEVNULL)


def pyais_lines(path):
    """None when pyais is not installed."""
    try:
        import pyais
    except ImportError:
        return None
    lines = []
    for message in pyais.FileReaderStream(str(path)):
        try:
            said = {name: plain(value) for name, value in message.decode().asdict().items()}
        except Exception:  # what pyais can't decode it doesn't answer for
            continue
        lines.append({"raw": message.raw.decode("ascii"), "valid_checksum": message.is_valid, "decoded": said})
    return lines


def plain(value):
    return value.hex() if isinstance(value, bytes) else getattr(value, "value", value)


def main():
    if not CORPUS.is_dir():
        print(f"skipped: no corpus at {CORPUS} (HEADRACE_CORPUS)")
        return 77
    ais_dump = sys.argv[1]
    install_oracles(pathlib.Path(sys.argv[2]))
    comparison = Comparison()
    started = time.monotonic()
    n_events = 0
    for log in DERIVED:
        derived = CORPUS / "derived"
        path = derived / f"{log}.clean.nmea"
        events, log_lines = events_of(ais_dump, path), lines_of(path)
        n_events += len(events)
        compare_pyais(comparison, log, events, json_lines(derived / f"{log}.pyais.jsonl"), log_lines)
        compare_gpsd(comparison, log, events, json_lines(derived / f"{log}.gpsdecode_uj.jsonl"), log_lines)
    live = CORPUS / "live_feed_42k.nmea"
    events, log_lines = events_of(ais_dump, live), lines_of(live)
    n_events += len(events)
    for name, said, compare in (("pyais", pyais_lines(live), compare_pyais),
                                ("gpsdecode", gpsdecode_lines(live), compare_gpsd)):
        if said is None:
            print(f"{live.name}: {name} is not installed, so not compared with it")
        else:
            compare(comparison, live.name, events, said, log_lines)

    for decoder in ("gpsd", "pyais"):
        for kind in sorted({kind for name, kind in comparison.messages if name == decoder}):
            print(f"{decoder:6} type {kind:2}: {comparison.messages[decoder, kind]:6} messages, "
                  f"{comparison.compared[decoder, kind]:7} fields equal")
    for (decoder, rule), n_fields in sorted(comparison.explained.items()):
        print(f"{decoder}: {n_fields:4} differ by the rule '{rule}': {EXPLAINED[rule]}")
    for difference in comparison.differences[:40]:
        print(f"DIFFERS {difference}")
    print(f"{n_events} events, {sum(comparison.compared.values())} fields equal, "
          f"{sum(comparison.explained.values())} explained, {len(comparison.differences)} different, "
          f"{time.monotonic() - started:.1f} s")
    # A comparison that compared nothing would be equal too.
    if sum(comparison.compared.values()) < 50000 or {kind for _, kind in comparison.messages} < TYPED:
        print("FAILED: fewer fields or types were compared than the corpus has")
        return 1
    return 1 if comparison.differences else 0


if __name__ == "__main__":
    sys.exit(main())
