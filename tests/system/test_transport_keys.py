#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Transport keys as the registry has them: a device is asked for another one and followed to its first session, the older
one is over an overlap later, and an operator can let it in again."""
import json
import unittest

import harness
from test_renewal import Gateway, Renewals

HINT_RENEW = 1 << 4


class TransportKeys(Renewals):
    def setUp(self):
        super().setUp()
        self.id = str(self.device.device_id)

    def headrace(self, *words, expect=0):
        return self.site.headrace(*words, "--config", self.aggregator.config, expect=expect)

    def rotate(self, *words, expect=0):
        return self.headrace("device", "rotate", self.id, "--transport", *words, expect=expect)

    def hints(self, probe):
        return probe.head().ack.hints

    def actions(self):
        rows = json.loads(self.headrace("audit", self.id, "--json").stdout)
        return [row["action"] for row in rows if row["action"] not in ("registered", "activated")]

    def states(self):
        return [row["key_state"] for row in self.transport_keys()]

    def wait_states(self, *states):
        harness.wait_for(f"the keys to be {states}", lambda: self.states() == list(states))


class RequestTest(TransportKeys):
    def test_a_device_is_asked_until_it_has_got_the_certificate_and_not_longer(self):
        self.start()
        probe, key = self.connect(), self.key("new")
        self.assertEqual(self.hints(probe) & HINT_RENEW, 0)
        self.rotate("--dry-run")
        self.assertEqual((self.hints(probe) & HINT_RENEW, self.actions()), (0, []))
        self.assertIn("is asked", self.rotate("--reason", "two years").stdout)
        self.assertIn("was asked", self.rotate().stdout)
        # It stands in the ledger: nobody has to remember it.
        self.aggregator.kill()
        self.aggregator.start()
        probe = self.connect()
        self.assertEqual(self.hints(probe) & HINT_RENEW, HINT_RENEW)
        self.assertEqual(json.loads(self.rotate("--wait", "--timeout", "1s", "--json", expect=2).stdout)["outcome"], "asked")
        new = self.as_pem(self.renewed(probe, self.request(key)), "new")
        self.assertEqual(self.hints(probe) & HINT_RENEW, 0)
        self.assertEqual(self.actions(), ["transport_asked", "certified"])
        self.assertEqual(self.states(), ["in use", "issued"])
        # Asked while that is on its way, it is the same request.
        told = json.loads(self.rotate("--wait", "--timeout", "1s", "--json", expect=2).stdout)
        self.assertEqual((told["outcome"], told["old_number"], told["number"]), ("certified", 1, 2))
        self.assertEqual(self.hints(probe) & HINT_RENEW, 0)
        self.connect(certificate=new, key=key).head()
        self.wait_states("superseded", "in use")
        self.assertEqual(json.loads(self.headrace("device", "show", self.id, "--json").stdout)["devices"][0]["wants_transport"], False)
        self.assertEqual(self.actions(), ["transport_asked", "certified", "transport_used"])
        shown = self.headrace("device", "show", self.id).stdout
        for word in ("superseded", "in use", "first used", "certificate until", self.transport_keys()[1]["transport_key"][:16]):
            self.assertIn(word, shown)

    def test_without_an_issuer_the_request_is_refused_with_what_to_do(self):
        self.start(extra="")
        self.assertIn("renewal:", self.rotate(expect=1).stderr)
        self.assertEqual(self.actions(), [])


class GatewayTest(TransportKeys, Gateway):
    def test_a_gateway_is_asked_and_followed_to_its_first_session(self):
        self.start()
        collector = self.collector()
        self.delivers(collector)
        told = json.loads(self.rotate("--wait", "--json").stdout)
        self.assertEqual((told["outcome"], told["old_number"], told["number"]), ("rotated", 0, 2))
        collector.process.wait_event("transport_key_changed")
        self.delivers(collector)
        self.assertEqual(self.actions()[:2], ["transport_asked", "certified"])
        self.assertEqual(self.states(), ["superseded", "in use"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
