"""tokenizer_texts.py - texts that tokenizers have been wrong about, and random ones of the same kinds.

SPDX-License-Identifier: Apache-2.0
"""
import random

META = "\u2581"
FIXED = [
    "", "a", " ", "  ", "\n", "\r\n\r\n", "\t\t \t", "Hello, world!", " Hello", "  Hello", "Hello  world   ", "it's IT'S They'Ve we'lL I'M",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f469\U0001f3fd\u200d\U0001f680", "e\u0301\u0323\u0301" * 9,
    "cafe\u0301 caf\u00e9", "\u1100\u1161\u11a8\ud55c\uad6d\uc5b4 \u212b \ufb01\ufb02 \u00bd \uff12 \uff21\uff22 \u2460 \u2163",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002\u3053\u308c\u306f\u30c6\u30b9\u30c8 \u0e44\u0e17\u0e22\u0e20\u0e32\u0e29\u0e32",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd \u0645\u0631\u062d\u0628\u0627 123 \u202eabc\u202c", "\x00\x01\x02\x1b[0m\x7f\x80\x9f",
    "\u00a0nbsp\u2003em\u3000ideo\u200b\ufeff\u2028\u2029\x85", "a\u180eb \u180e", "<s>hi</s> <unk> <pad>", "<|im_start|>user\nhi<|im_end|>",
    "<|im_start", "<|endoftext|><|begin_of_text|>x<|eot_id|>", "<|", "<start_of_turn>user\nhello<end_of_turn>\n", "[INST] hi [/INST]",
    "<0x0A> <0xE2>", f"{META}lower {META}{META} one", f"a{META}b>{META}</ x>{META}</div>", "<h1>\n\n\n\t\t  x</h1>", "<<|im_end|>>",
    "1234567890 12 3 0x1f 3.14159 1,000,000", "foo_bar(baz)[0] += 1;\n\n\n  }\n", "x" * 300, " " * 130, "\n" * 40, "\t" * 33, "9" * 50,
    "=" * 70, "-" * 33 + "+" * 33, "a" + " " * 50 + "b", "\U0001d518\U00020000\U000e0041\U0010fffd\ue000", "\ufffd\ufffd",
    "\u0130stanbul \u1e9e \u017f's \u0149", "\u00e9" * 40, "\u0915\u094d\u0937\u0924\u094d\u0930\u093f\u092f \u0928\u092e\u0938\u094d\u0924\u0947",
    "\u0e2a\u0e27\u0e31\u0e2a", "zwj\u200djoin\u200cnon", "<\uff5cbegin\u2581of\u2581sentence\uff5c>x<\uff5cUser\uff5c>hi", "...!!!???",
    "http://a.b/c?d=e&f#g", "C:\\x\\y", " \n \n", "\n \n a", "a\r", "\r", "a" * 20000, " " * 20001, "\u0301\u0323" * 3000, "\u4f60" * 5000,
]
POOLS = ["abcdefgh THE the ing 'sS", " \t\r\n\u00a0\u2003", "0123456789\u0660\u00bd\u00b2", "\u00e9e\u0301\u030a\u1100\u1161\u4f60\u3053\u0645\u0437\u0915\u094d",
         ".,;:!?-_()[]{}<>|/\\\"'`~@#$%^&*+=", "\U0001f600\u200d\ufe0f\U0001d518\U00020000" + META, META + " " + META + "a"]
SPECIAL = ["<|im_start|>", "<|im_end|>", "<s>", "</s>", "<|", "<bos>", "<|eot_id|>", "<|endoftext|>", "<end_of_turn>", "  ", "\n\n", "<unk>"]
LONG = ["a" * (1 << 20), " " * (1 << 20), "\u0301\u0323" * 16384]  # a megabyte without a break; marks out of order


def mixed(rng):
    parts = []
    for _ in range(rng.randrange(1, 12)):
        pool = rng.choice(POOLS)
        parts.append(rng.choice(SPECIAL) if rng.random() < .15 else "".join(rng.choice(pool) for _ in range(rng.randrange(1, 9))))
    return "".join(parts)


def any_letters(rng):
    codes = (rng.randrange(0x20, 0x3000) if rng.random() < .8 else rng.randrange(0x3000, 0x1f700) for _ in range(rng.randrange(1, 30)))
    return "".join(chr(c) for c in codes if not 0xd800 <= c < 0xe000)


def texts(seed=7):
    rng = random.Random(seed)
    return FIXED + [mixed(rng) for _ in range(800)] + [any_letters(rng) for _ in range(300)]
