#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares decimals and units with Python's fractions: 50,000 questions from a seed that is printed, each answer exact.
The factors below were written from the definitions, not from our table."""
import os
import pathlib
import random
import re
import subprocess
import unittest
from fractions import Fraction

DUMP = pathlib.Path(os.environ["HEADRACE_BIN"]) / "units_dump"
MOST = 2 ** 63 - 1
SEED = int(os.environ.get("HEADRACE_SEED", random.SystemRandom().randrange(1 << 32)))
INCH = Fraction("0.0254")
FOOT3 = (12 * INCH) ** 3
CALORIE_IT = Fraction("4.1868")  # 5th International Conference on the Properties of Steam, London 1956
POUND = Fraction("0.45359237")
BTU = CALORIE_IT * 1000 * POUND * Fraction(5, 9)  # one pound of water by one degree Fahrenheit
THERM = 105480400
KWH = 3600 * 1000
# name: (quantity, of the base unit, degrees below zero)
UNITS = {
    "J": ("energy", 1, 0), "kJ": ("energy", 10 ** 3, 0), "MJ": ("energy", 10 ** 6, 0), "GJ": ("energy", 10 ** 9, 0),
    "Wh": ("energy", 3600, 0), "kWh": ("energy", KWH, 0), "MWh": ("energy", KWH * 10 ** 3, 0),
    "GWh": ("energy", KWH * 10 ** 6, 0), "TWh": ("energy", KWH * 10 ** 9, 0), "Btu": ("energy", BTU, 0),
    "MMBtu": ("energy", BTU * 10 ** 6, 0), "therm": ("energy", THERM, 0), "therm_ec": ("energy", BTU * 10 ** 5, 0),
    "W": ("power", 1, 0), "kW": ("power", 10 ** 3, 0), "MW": ("power", 10 ** 6, 0), "GW": ("power", 10 ** 9, 0),
    "Btu/h": ("power", BTU / 3600, 0), "MMBtu/h": ("power", BTU * 10 ** 6 / 3600, 0),
    "K": ("temperature", 1, 0), "degC": ("temperature", 1, Fraction("273.15")),
    "degF": ("temperature", Fraction(5, 9), Fraction("459.67")), "degR": ("temperature", Fraction(5, 9), 0),
    "m3": ("volume", 1, 0), "L": ("volume", Fraction(1, 1000), 0), "cf": ("volume", FOOT3, 0),
    "Ccf": ("volume", FOOT3 * 100, 0), "Mcf": ("volume", FOOT3 * 10 ** 3, 0), "MMcf": ("volume", FOOT3 * 10 ** 6, 0),
    "Bcf": ("volume", FOOT3 * 10 ** 9, 0), "USD/MWh": ("price", Fraction(1, KWH * 1000), 0),
    "USD/kWh": ("price", Fraction(1, KWH), 0), "cent/kWh": ("price", Fraction(1, KWH * 100), 0),
    "USD/GJ": ("price", Fraction(1, 10 ** 9), 0), "USD/MMBtu": ("price", 1 / (BTU * 10 ** 6), 0),
    "USD/therm": ("price", Fraction(1, THERM), 0), "USD/MW": ("capacity", Fraction(1, 10 ** 6), 0),
    "USD/kW": ("capacity", Fraction(1, 10 ** 3), 0),
}


def ask(questions):
    asked = subprocess.run([DUMP], input="".join(f"{question}\n" for question in questions), stdout=subprocess.PIPE,
                           text=True, check=True)
    return asked.stdout.splitlines()


def printed(coefficient, scale):
    digits = str(abs(coefficient)).rjust(scale + 1, "0")
    return ("-" if coefficient < 0 else "") + (f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits)


def exact(number, scale):
    """The number at that scale or the greatest below it at which it is exact and fits."""
    for less in range(scale, -1, -1):
        coefficient = number * 10 ** less
        if coefficient.denominator != 1:
            break
        if less <= 18 and abs(coefficient) <= MOST:
            return printed(int(coefficient), less)
    return "full"


def rounded(number, scale):
    coefficient = number * 10 ** scale
    nearest = round(coefficient)  # halves to even
    if abs(nearest) > MOST:
        return "full"
    return printed(nearest, scale) + (" exact" if nearest == coefficient else " rounded")


def scale_of(text):
    return len(text.partition(".")[2])


class Units(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}")
        self.random = random.Random(SEED)

    def decimal(self):
        """Of any length and scale, ends of the range and zeros included."""
        kind = self.random.randrange(10)
        coefficient = 0 if kind == 0 else MOST - self.random.randrange(3) if kind == 1 else \
            self.random.randrange(10 ** self.random.randint(1, 18))
        if kind in (2, 3):
            coefficient = coefficient // 10 ** 6 * 10 ** self.random.randint(0, 6)
        return printed(self.random.choice((-1, 1)) * coefficient, self.random.randint(0, 18))

    def price(self):
        return printed(self.random.randint(-10 ** 7, 10 ** 7), self.random.randint(0, 5))

    def two(self):
        pick = self.random.choice((self.decimal, self.price))
        return pick(), self.random.choice((pick, self.decimal))()

    def compare(self, questions, expected):
        said = ask(questions)
        self.assertEqual(len(said), len(expected))
        for question, ours, theirs in zip(questions, said, expected):
            if ours.replace("-0 ", "0 ") != theirs:
                self.fail(f"seed {SEED}: {question}: ours is {ours}, Python's {theirs}")

    def test_arithmetic_is_exact_or_refused(self):
        questions, expected = [], []
        for _ in range(3000):
            a, b = self.two()
            scale = max(scale_of(a), scale_of(b))
            near = self.price().lstrip("-")
            for question, answer in (
                    (f"add {a} {b}", exact(Fraction(a) + Fraction(b), scale)),
                    (f"subtract {a} {b}", exact(Fraction(a) - Fraction(b), scale)),
                    (f"multiply {a} {b}", exact(Fraction(a) * Fraction(b), scale_of(a) + scale_of(b))),
                    (f"compare {a} {b}", str((Fraction(a) > Fraction(b)) - (Fraction(a) < Fraction(b)))),
                    (f"near {a} {b} {near}", str(int(abs(Fraction(a) - Fraction(b)) <= Fraction(near))))):
                questions.append(question)
                expected.append(answer)
        self.compare(questions, expected)
        self.assertGreater(expected.count("full"), 100)

    def test_rescaling_rounds_halves_to_even(self):
        questions, expected = [], []
        for _ in range(3000):
            a, scale = self.decimal(), self.random.randint(0, 18)
            if self.random.randrange(3) == 0:
                scale = max(0, scale_of(a) - 1)
                a = a[:-1] + "5"
            questions.append(f"rescale {a} {scale}")
            expected.append(rounded(Fraction(a), scale))
        self.compare(questions, expected)

    def test_reals_are_the_nearest_doubles(self):
        decimals = [self.decimal() for _ in range(3000)] + [self.price() for _ in range(5000)]
        # Ties, and their neighbours: halfway between two doubles above 2^53.
        decimals += [str(2 ** 53 + n) for n in range(1, 1000)]
        decimals += [printed((2 ** 53 + n) * 5 + more, 1) for n in range(0, 500) for more in (-1, 0, 1)]
        said = ask([f"real {decimal}" for decimal in decimals])
        for decimal, ours in zip(decimals, said):
            self.assertEqual(float.fromhex(ours), float(Fraction(decimal)), f"seed {SEED}: {decimal}")

    def test_texts_are_read_as_they_are_written(self):
        number = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
        questions, expected = [], []
        for _ in range(6000):
            text = self.decimal()
            change = self.random.randrange(6)
            if change == 0:
                text = text.replace("0.", ".", 1)
            elif change == 1:
                text += self.random.choice(("e", "E")) + str(self.random.randint(-25, 25))
            elif change == 2:
                at = self.random.randrange(len(text))
                text = text[:at] + self.random.choice("0.+-eE, x") + text[at:]
            elif change == 3:
                text = " " + text.lstrip("-") + "\t"
            bare = text.strip(" \t")
            questions.append(f"read {text}")
            if not number.fullmatch(bare):
                expected.append("malformed")
                continue
            mantissa, _, exponent = bare.lower().partition("e")
            wanted = max(0, scale_of(mantissa) - int(exponent or 0))
            if Fraction(mantissa) == 0:
                expected.append(printed(0, min(wanted, 18)))
            elif abs(int(exponent or 0)) > 100:  # Python would write out each zero
                expected.append("full")
            else:
                expected.append(exact(Fraction(bare), wanted))
        self.compare(questions, expected)
        self.assertGreater(expected.count("malformed"), 100)

    def test_conversions_are_exact_before_they_are_rounded_once(self):
        self.assertEqual(set(ask(["units"])[0].split()), set(UNITS))
        questions, expected = [], []
        for _ in range(6):
            for source, (quantity, factor, below) in UNITS.items():
                for target, (other, to_factor, to_below) in UNITS.items():
                    a, scale = self.random.choice((self.price, self.decimal))(), self.random.randint(0, 18)
                    questions.append(f"convert {a} {source} {target} {scale}")
                    number = (Fraction(a) + below) * factor / to_factor - to_below
                    expected.append(rounded(number, scale) if quantity == other else "malformed")
        self.compare(questions, expected)
        self.assertGreater(sum(answer.endswith("exact") for answer in expected), 200)


if __name__ == "__main__":
    unittest.main()
