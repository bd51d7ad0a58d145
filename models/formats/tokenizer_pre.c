/* tokenizer_pre.c - the patterns of published tokenizers.
 *
 * Several names have one set of patterns, since converters name them by model. The patterns are
 * those of the models' tokenizer.json, not a converter's approximations of them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tokenizer_pre.h"

#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"

#define ENGLISH "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SIGNS   "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
#define BLANKS  "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LETTERS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define UPPER   "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER   "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define OTHER   "[^\\r\\n\\p{L}\\p{N}]?"

#define GPT2   "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define DIGIT  "\\p{N}"
#define LLAMA3 ENGLISH LETTERS "|\\p{N}{1,3}" SIGNS BLANKS
#define QWEN2  ENGLISH LETTERS "|\\p{N}" SIGNS BLANKS
#define QWEN35                                                                                     \
    ENGLISH "|" OTHER "[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" BLANKS
#define SEED ENGLISH LETTERS "|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+" BLANKS
#define O200K                                                                                      \
    OTHER UPPER "*" LOWER "+" ENGLISH "?|" OTHER UPPER "+" LOWER "*" ENGLISH                       \
                "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" BLANKS
#define TEKKEN                                                                                     \
    OTHER UPPER "*" LOWER "+|" OTHER UPPER "+" LOWER                                               \
                "*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" BLANKS
#define DEEPSEEK_CJK                                                                               \
    "[\xe4\xb8\x80-\xe9\xbe\xa5\xe3\x81\x80-\xe3\x82\x9f\xe3\x82\xa0-\xe3\x83\xbf]+"
#define DEEPSEEK                                                                                   \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?"           \
    "[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*" BLANKS

#define OF_GPT2(name)                                                                              \
    {                                                                                              \
        name, {GPT2}, false, false                                                                 \
    }
#define OF_DIGITS(name)                                                                            \
    {                                                                                              \
        name, {DIGIT, GPT2}, false, false                                                          \
    }
#define OF_LLAMA3(name)                                                                            \
    {                                                                                              \
        name, {LLAMA3}, false, true                                                                \
    }
#define OF_CL100K(name)                                                                            \
    {                                                                                              \
        name, {LLAMA3}, false, false                                                               \
    }
#define OF_QWEN2(name)                                                                             \
    {                                                                                              \
        name, {QWEN2}, false, false                                                                \
    }
#define OF_O200K(name)                                                                             \
    {                                                                                              \
        name, {O200K}, false, true                                                                 \
    }
#define OF_DEEPSEEK(name)                                                                          \
    {                                                                                              \
        name, {"\\p{N}{1,3}", DEEPSEEK_CJK, DEEPSEEK}, false, false                                \
    }

static const struct tokenizer_pre PRES[] = {
    OF_GPT2("gpt-2"),
    OF_GPT2("phi-2"),
    OF_GPT2("mpt"),
    OF_GPT2("olmo"),
    OF_GPT2("jais"),
    OF_GPT2("trillion"),
    OF_GPT2("granite-docling"),
    OF_GPT2("exaone4"),
    OF_GPT2("gigachat"),
    OF_GPT2("mellum"),
    OF_GPT2("modern-bert"),
    OF_DIGITS("smollm"),
    OF_DIGITS("starcoder"),
    OF_DIGITS("refact"),
    OF_DIGITS("codeshell"),
    OF_DIGITS("exaone"),
    OF_DIGITS("minerva-7b"),
    {"command-r", {DIGIT, GPT2}, true, false},
    OF_LLAMA3("llama-bpe"),
    OF_LLAMA3("llama3"),
    OF_LLAMA3("llama-v3"),
    OF_LLAMA3("falcon3"),
    OF_LLAMA3("falcon-h1"),
    OF_LLAMA3("pixtral"),
    OF_LLAMA3("lfm2"),
    OF_CL100K("dbrx"),
    OF_CL100K("smaug-bpe"),
    OF_CL100K("glm4"),
    OF_CL100K("chatglm-bpe"),
    {"qwen2", {QWEN2}, true, false},
    {"qwen35", {QWEN35}, true, false},
    OF_QWEN2("deepseek-r1-qwen"),
    OF_QWEN2("stablelm2"),
    OF_QWEN2("megrez"),
    OF_QWEN2("hunyuan"),
    OF_QWEN2("grok-2"),
    OF_QWEN2("solar-open"),
    {"seed-coder", {SEED}, false, false},
    OF_O200K("gpt-4o"),
    OF_O200K("llama4"),
    OF_O200K("kanana2"),
    OF_O200K("minimax-m2"),
    {"tekken", {TEKKEN}, false, true},
    OF_DEEPSEEK("deepseek-v3"),
    OF_DEEPSEEK("hunyuan-dense"),
};

const struct tokenizer_pre *tokenizer_pre_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(PRES); i++)
        if (strcmp(PRES[i].name, name) == 0)
            return &PRES[i];
    return NULL;
}

const char *tokenizer_pre_nearest(const char *name)
{
    const char *names[ARRAY_LEN(PRES)];

    for (size_t i = 0; i < ARRAY_LEN(PRES); i++)
        names[i] = PRES[i].name;
    return nearest_word(name, names, ARRAY_LEN(PRES));
}
