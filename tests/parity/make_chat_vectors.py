"""make_chat_vectors.py - renders templates with jinja2, configured as in transformers.

Called by make_format_vectors.py; writes tests/fixtures/chat/vectors.json. The templates are written
for these tests, in the style of several model families.
SPDX-License-Identifier: Apache-2.0
"""
import datetime
import json

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

NOW_MS = 1790000000000  # 2026-09-21 14:13:20 UTC


class Generation(jinja2.ext.Extension):
    """{% generation %} blocks: notes the characters that they put out."""
    tags = {"generation"}

    def __init__(self, environment):
        super().__init__(environment)
        environment.extend(generation_texts=[])

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_note"), [], [], body).set_lineno(line)

    def _note(self, caller):
        text = caller()
        self.environment.generation_texts.append(text)
        # Marks that no template writes; write() turns them into offsets.
        return "\x01" + text + "\x02"


def environment():
    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                          sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def strftime_now(fmt):
        return datetime.datetime.fromtimestamp(NOW_MS / 1000, datetime.timezone.utc).strftime(fmt)

    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = strftime_now
    return env


# Small templates over x = the variables below; each is one behaviour.
VARIABLES = {
    "s": "Hello, World", "e": "", "n": 7, "neg": -3, "f": 2.5, "t": True, "no": False, "z": None,
    "l": [3, 1, 2], "words": ["b", "A", "c", "a"], "d": {"one": 1, "two": [1, {"x": None}], "q": "a\"b'c"},
    "rows": [{"k": "a", "v": 1, "on": True}, {"k": "B", "v": 3}, {"k": "c", "v": 2, "on": False}],
    "text": "  line one\n  line two  \n\n", "think": "<think>\nplan\n</think>\n\nanswer",
    "html": "<a href='x'>&</a>", "uni": "\u4f60\u597d\u00e9\U0001f600\u2028", "big": 9007199254740993, "items": [1, 2],
}
EXPRESSIONS = """
s|e|n|neg|f|t|z|l|d|undefined_name
1+2*3|7//2|-7//2|-7%3|7%-3|7/2|2**10|2**-1|2**3**2|-2**2|1.5*2|6/3|1e3|.5|1.0|1e16|1e22|123456789.125|0.1+0.2
'a'~1~none~true~2.0|'a'+'b'|'ab'*3|[1]+[2,3]|(1,2)|(1,)|()|{'a':1,'b':{'c':[]}}|{}|[]|"it's"|['it\\'s',"q\\""]
n>3|n>3 and f<1|n==7.0|'7'==n|1<2<3|3>2>2|not t|not t or t|t and s|e or 'x'|z or 0|n in l|3 in l|3 not in l
'ell' in s|'one' in d|'q' in undefined_name|z is none|z is not none|undefined_name is defined|d.one is defined
d.nope is defined|d.nope|d['one']|d['two'][1]['x']|d.two[0]|l[0]|l[-1]|l[9]|s[0]|s[-1]|s[7]|uni[1]|uni[3]
s[1:4]|s[:-3]|s[-3:]|s[::-1]|s[::2]|l[1:]|l[::-1]|l[5:]|l[-2:9]|uni[1:3]|l[2:0:-1]|s[100:]|l[:0]
s.upper()|s.lower()|s.startswith('Hell')|s.endswith(('x','ld'))|s.split(',')|s.split()|s.split('l',1)|' a  b '.split()
' a b c '.split(None,1)|s.rsplit('l',1)|s.rsplit('l')|text.strip()|text.lstrip()|text.rstrip('\\n')|'xxaxx'.strip('x')
think.split('</think>')[-1].lstrip('\\n')|think.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n')
s.replace('l','L')|s.replace('l','L',1)|'aaa'.replace('','-')|s.find('W')|s.find('zz')|s.count('l')|'a-b'.split('-')
s.title()|'hello WORLD'.capitalize()|'a\\nb\\r\\nc\\n'.splitlines()|', '.join(words)|'12'.isdigit()|''.isdigit()
d.get('one')|d.get('zz')|d.get('zz',5)|d['items'] is defined|'a' if t else 'b'|'a' if no|'a' if no else 'b' if t else 'c'
n is number|f is float|n is integer|t is integer|t is boolean|s is string|l is string|d is mapping|l is sequence|d is iterable
n is odd|n is even|8 is divisibleby 4|8 is divisibleby(3)|n is eq 7|n is ne(7)|n is gt 3|'a' is in 'abc'|s is lower|'AB' is upper|t is true|t is false
l is not string and n is odd|not l is string|dict(a=1)|namespace(a=1).a
strftime_now('%d %b %Y')|strftime_now('%Y-%m-%d %H:%M')|"a" "b"|'\\x41\\u00e9\\101\\n\\q'|True and None|[1,2,]|{'a':1,}
rows[0].k~rows[1]['k']|d.two.1.x
uni[::-1]|uni[::2]|uni[1::3]|uni[::-2]|uni[3:0:-1]|uni[-2::-1]|uni[4:]|uni[:-9]|s[::5]|s[::-5]|s[20::-3]|s[::50]|s[::-50]
'abcab'.rsplit('ab',1)|'aXbXc'.rsplit('X',1)|'aaaa'.rsplit('aa',1)|'abc'.rsplit('abcd',1)|uni.find('\u00e9')|uni.count('\u4f60')
1 in {1.0:'a'}|{1:'a',true:'b',1.0:'c'}|{'a':[1,{'b':2}]} == {'a':[1,{'b':2.0}]}|{'a':1,'b':2} == {'b':2,'a':1}|[1,'1',none] == [true,'1',none]
'ab' < 'abc'|'b' > 'abc'|[s,d] == [s,d]|d == rows|''.strip('x')|'xyxa'.strip('yx')|uni.strip('\u4f60')|'\u00e9a\u00e9'.strip('\u00e9')
none is defined|d.q|'%s'|s is defined and s|n+t|t+t|f//1|-f|+n|- n + 1|n-1|n -1|(n)-1
"""
# The pipe separates cases above, so filters have a list of their own.
FILTERED = [
    "{{ s|length }} {{ l|length }} {{ d|count }} {{ e|length }} {{ uni|length }} {{ undefined_name|length }}",
    "{{ s|upper }}|{{ s|lower }}|{{ s|title }}|{{ text|trim }}|{{ 'xxax'|trim('x') }}|{{ l|first }}|{{ l|last }}",
    "{{ l|sort }}{{ words|sort }}{{ words|sort(case_sensitive=true) }}{{ l|sort(reverse=true) }}",
    "{{ rows|sort(attribute='v')|map(attribute='k')|join(',') }}|{{ l|join }}|{{ l|join(', ') }}",
    "{{ rows|join('-', attribute='k') }}|{{ rows|map(attribute='k')|list }}|{{ words|map('upper')|list }}",
    "{{ l|sum }}|{{ rows|sum(attribute='v') }}|{{ rows|selectattr('on')|list|length }}",
    "{{ rows|selectattr('v','gt',1)|map(attribute='k')|list }}{{ rows|rejectattr('on','defined')|list|length }}",
    "{{ rows|selectattr('k','equalto','a')|list|length }}{{ rows|map(attribute='on',default='?')|list }}",
    "{{ l|select('odd')|list }}{{ l|reject('odd')|list }}{{ l|select('in',[1,2])|list }}{{ [0,1,'']|select|list }}",
    "{{ [1,2,1,3,2]|unique|list }}{{ ['a','A','b']|unique|list }}{{ l|max }}{{ l|min }}{{ l|reverse|list }}{{ s|reverse }}",
    "{{ uni|reverse }}{{ uni|first }}{{ uni|last }}{{ e|first }}{{ e|last }}{{ s|first }}{{ s|last }}{{ d|first }}",
    "{{ [1,true,1.0,'1',none,'a','A',2]|unique|list }}{{ range(40)|map('string')|unique|list|length }}",
    "{{ ['b','B','a','A']|sort }}{{ ['b','B','a','A']|sort(reverse=true) }}{{ rows|unique(attribute='on')|list|length }}",
    "{{ 'xyxa'|trim('yx') }}{{ text|trim|length }}{{ ('a' * 70)|replace('a','bc')|length }}",
    "{{ d|items|list }}{{ d|dictsort }}{{ l|list }}{{ d|list }}{{ 'abc'|list }}",
    "{{ undefined_name|default('x') }}|{{ e|default('x') }}|{{ e|default('x',true) }}|{{ z|default('x') }}|"
    "{{ z|d('x',boolean=true) }}|{{ undefined_name|default }}|{{ d.nope|default([]) }}",
    "{{ n|string }}{{ '42'|int }} {{ '4.9'|int }} {{ 'x'|int }} {{ 'x'|int(5) }} {{ 3.9|int }} {{ '2.5'|float }} {{ neg|abs }}",
    "{{ 2.567|round(2) }} {{ 2.5|round }} {{ 3.5|round }} {{ 2.1|round(0,'ceil') }} {{ 2.9|round(method='floor') }}",
    "{{ d|tojson }}{{ s|tojson }}{{ uni|tojson }}{{ uni|tojson(ensure_ascii=true) }}{{ f|tojson }}{{ 1.0|tojson }}",
    "{{ 1e-7|tojson }} {{ z|tojson }} {{ t|tojson }} {{ html|tojson }} {{ big|tojson }} {{ -0.0|tojson }}",
    "{{ d|tojson(indent=2) }}\n{{ []|tojson(indent=4) }}{{ {}|tojson(indent=4) }}{{ [1,[2,{'a':[]}]]|tojson(indent=1) }}",
    "{{ d|tojson(separators=(',',':')) }}{{ {'b':1,'a':2}|tojson(sort_keys=true) }}{{ 'a\\tb\\u0007\\\\\\x7f'|tojson }}",
    "{{ [true,none,1.5e300]|tojson }}{{ ()|tojson }}{{ {'k':(1,2)}|tojson }}",
    "{{ text|indent }}|{{ text|indent(2,true) }}|{{ 'a\\n\\nb'|indent(2,blank=true) }}|{{ 'a'|indent }}",
    "{{ s|replace('l','_') }}{{ s|replace('l','_',1) }}{{ d|string }}{{ [s,f,none,true]|string }}",
    "{{ words|map('replace','a','z')|list }}{{ l|map('string')|join }}{{ 'a-b'.split('-')|join('+') }}",
    "{{ d.items()|list }}{{ d.keys()|list }}{{ d.values()|list }}{{ d.get('one') }}{{ d.get('zz') }}{{ d.get('zz',5) }}",
    "{{ range(3)|list }}{{ range(1,6,2)|list }}{{ range(3,0,-1)|list }}{{ dict(a=1)|tojson }}",
    "{{ [1,2,3]|first|string + 'x' }}{{ (l|length > 2) and 'y' }}{{ l|length + 1 }}{{ -l|first }}",
]
STATEMENTS = [
    # texts that grow piece by piece, from one start in two ways
    "{% set ns = namespace(a='', b='') %}{% for w in words %}{% set ns.b = ns.a + '<' %}{% set ns.a = ns.a + w + '-' %}"
    "{% endfor %}{{ ns.a }}|{{ ns.b }}",
    "{% set ns = namespace(a='x') %}{% for i in range(12) %}{% set ns.a = ns.a ~ (ns.a ~ i) %}{% endfor %}{{ ns.a }}",
    "{% set p = s + '1' %}{% set q = p + '2' %}{% set r = p + '3' %}{{ p }}{{ q }}{{ r }}{{ p + q + p }}",
    # dicts that are too large to be searched from the front
    "{% set ns = namespace(n=0) %}{% set big = dict(a0=0,a1=1,a2=2,a3=3,a4=4,a5=5,a6=6,a7=7,a8=8,a9=9,b0=0,b1=1,b2=2,"
    "b3=3,b4=4,b5=5,b6=6,b7=7,b8=8,b9=9,c0=0,c1=1) %}{{ big.b9 }}{{ big['c1'] }}{{ big.get('c2','-') }}{{ big.zz is defined }}"
    "{% for k, v in big.items() %}{{ k }}{{ v }}{% endfor %}{{ dict(big, a0=9).a0 }}{{ 'b3' in big }}{{ 3 in big }}",
    "{% set m = {0:0,1:1,2:2,3:3,4:4,5:5,6:6,7:7,8:8,9:9,10:10,11:11,12:12,13:13,14:14,15:15,16:16,17:17,'17':'t',none:1} %}"
    "{{ m[17] }}{{ m[17.0] }}{{ m['17'] }}{{ m[none] }}{{ m[true] }}{{ m.get(18) }}{{ m == dict(m) }}",
    # the scope of each pass is new, and macros look into the one they were made in
    "{% for i in l %}{% if loop.first %}{% set x = 'set' %}{% endif %}[{{ x }}]{% endfor %}",
    "{% for i in l %}{% macro f() %}{{ i }}{% endmacro %}{% set y = f() %}{{ y }}{{ f() }}{% endfor %}",
    "{% for i in l if i > 1 %}{% for j in l if j != i %}{{ i }}{{ j }}{{ loop.index }},{% endfor %}{% endfor %}",
    "a\n{% if t %}\n  b\n{% endif %}\nc", "  {% if t %}x{% endif %}  \n  {{ n }}  \n", "{%- if t -%}\n x \n{%- endif -%}\n y",
    "a\n  {# note #}\nb {#- x -#} c", "  {%+ if t %}x{% endif +%}\ny", "{{- s -}}  z", "a  {{- n -}}  b", "x{# }} #}y\n\n",
    "{% raw %}{{ n }} {% if %}{% endraw %}\nq", "  {%- raw -%}  r  {%- endraw -%}  q", "a\n\n", "a\n\n\n", "\na", "",
    "{% for x in l %}{{ loop.index }}/{{ loop.length }}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}",
    "{% for x in [] %}x{% else %}none{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for x in l if x > 1 %}{{ loop.index0 }}{{ x }}{{ loop.first }} {% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}!",
    "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }};{{ loop.revindex }}{{ loop.cycle('a','b') }}{% endfor %}",
    "{% for a in 'xy' %}{% for b in [1,2] %}{{ a }}{{ b }}{{ loop.depth }}{% endfor %}{% endfor %}",
    "{% set q = 1 %}{% for x in l %}{% set q = x %}{{ q }}{% endfor %}{{ q }}",
    "{% set ns = namespace(q=1, w='') %}{% for x in l %}{% set ns.q = ns.q + x %}{% endfor %}{{ ns.q }}{{ ns.w }}",
    "{% set a, b = 1, 'x' %}{{ a }}{{ b }}{% set c %}in {{ a }}\n{% endset %}[{{ c }}]",
    "{% if no %}a{% elif z %}b{% elif n %}c{% else %}d{% endif %}", "{% if no %}a{% else %}d{% endif %}",
    "{% macro m(a, b='d', c=none) %}<{{ a }},{{ b }},{{ c }}>{% endmacro %}{{ m(1) }}{{ m(1, c=2) }}{{ m(b=3, a=4) }}{{ m() }}",
    "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(4) }}",
    "{% set g = 5 %}{% macro m() %}{{ g }}{% endmacro %}{{ m() }}{{ m()|length }}",
    "{% for x in l %}{% set y = loop.index %}{% endfor %}{{ y is defined }}",
    "{% for x in undefined_name %}x{% endfor %}ok", "{% for c in d %}{{ c }}{% endfor %}",
    "{{ l|map('int')|list if t else '' }}{{ 'x' if undefined_name is defined and undefined_name.a }}",
    "{%- for m in rows -%}\n  {%- if m.on is defined and m.on -%}\n    {{ m.k }}\n  {%- endif -%}\n{%- endfor %}",
    "{% for x in l %}{% for y in l %}{% if y == 1 %}{% break %}{% endif %}{{ x }}{{ y }} {% endfor %}{% endfor %}",
    "{{ raise_exception('no ' ~ n) }}", "{{ undefined_name.x }}", "{{ undefined_name() }}", "{{ n() }}", "{{ 1/0 }}", "{{ 'a' + 1 }}",
    "{{ 'a' < 1 }}", "{{ l.nope() }}", "{{ undefined_name + 1 }}", "{{ s.nope }}", "{% set d.x = 1 %}", "{{ n|length }}",
    "{% if %}", "{{ }}", "{{ a b }}", "{% for x l %}{% endfor %}", "{% endif %}", "{% if t %}", "{{ 'abc }}", "{{ (1 }}", "{# x",
    "{{ 1 }", "{% foo %}", "{{ x|nofilter }}", "{{ x is notest }}", "{% raw %}x", "{{ [1 }}", "{{ 1 ! 2 }}", "{% break %}",
    "{% for a, b in l %}{% endfor %}", "{{ {'a' 1} }}", "{% macro m() %}{% endmacro %}{{ m(1) }}", "{{ l[::0] }}",
]

QWEN = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\\n\\n' }}
    {%- endif %}
    {{- "# Tools\\n\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set thoughts = '' %}
        {%- if message.reasoning_content is string %}
            {%- set thoughts = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set thoughts = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last and (loop.last or thoughts) %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + thoughts.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}
                    {{- '\\n' }}
                {%- endif %}
                {%- if tool_call.function %}
                    {%- set tool_call = tool_call.function %}
                {%- endif %}
                {{- '<tool_call>\\n{"name": "' }}
                {{- tool_call.name }}
                {{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}
                    {{- tool_call.arguments }}
                {%- else %}
                    {{- tool_call.arguments | tojson }}
                {%- endif %}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""

LLAMA = """{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = strftime_now("%d %b %Y") %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- The system message, if there is one. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- if tools is not none %}
    {%- if messages | length != 0 %}
        {%- set first_user_message = messages[0]['content']|trim %}
        {%- set messages = messages[1:] %}
    {%- else %}
        {{- raise_exception("No first user message to put the tools in") }}
    {%- endif %}
    {{- '<|start_header_id|>user<|end_header_id|>\\n\\n' -}}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
    {{- first_user_message + "<|eot_id|>"}}
{%- endif %}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("One call per message") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or (message.content is iterable and message.content is not string) %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}"""

XML = """{% macro render_extra(obj, skip) %}
{%- for key in obj if key not in skip %}
{%- set v = obj[key] %}
{{- '\\n<' ~ key ~ '>' ~ (v | tojson if v is mapping or (v is sequence and v is not string) else v | string) ~ '</' ~ key ~ '>' }}
{%- endfor %}
{%- endmacro %}
{%- set enable_thinking = enable_thinking if enable_thinking is defined else true %}
{%- set ns = namespace(system='', open=false) %}
{%- if messages and messages[0].role == 'system' %}
{%- set ns.system = messages[0].content %}
{%- set messages = messages[1:] %}
{%- endif %}
{{- '<|im_start|>system\\n' ~ ns.system }}
{%- if tools is iterable and tools | length > 0 %}
  {{- '\\n\\n<tools>' }}
  {%- for tool in tools %}
    {%- if tool.function is defined %}{% set tool = tool.function %}{% endif %}
    {{- '\\n<function>\\n<name>' ~ tool.name ~ '</name>' }}
    {%- if tool.description is defined %}{{- '\\n<description>' ~ (tool.description | trim) ~ '</description>' }}{%- endif %}
    {{- '\\n<parameters>' }}
    {%- for name, fields in tool.parameters.properties | items %}
      {{- '\\n<parameter>\\n<name>' ~ name ~ '</name>' }}
      {{- render_extra(fields, ['description', 'enum']) }}
      {{- '\\n</parameter>' }}
    {%- endfor %}
    {{- render_extra(tool.parameters, ['type', 'properties']) }}
    {{- '\\n</parameters>\\n</function>' }}
  {%- endfor %}
  {{- '\\n</tools>' }}
{%- endif %}
{{- '<|im_end|>\\n' }}
{%- for message in messages %}
  {%- if message.role == 'assistant' %}
    {{- '<|im_start|>assistant\\n' }}
    {%- generation %}
    {{- message.content | default('', true) }}
    {%- for call in message.tool_calls | default([], true) %}
      {{- '\\n<tool_call>\\n<function=' ~ call.function.name ~ '>' }}
      {%- for name, value in call.function.arguments | items %}
        {{- '\\n<parameter=' ~ name ~ '>\\n' ~ (value | tojson if value is not string else value) ~ '\\n</parameter>' }}
      {%- endfor %}
      {{- '\\n</function>\\n</tool_call>' }}
    {%- endfor %}
    {{- '<|im_end|>\\n' }}
    {%- endgeneration %}
  {%- elif message.role == 'tool' %}
    {%- if not ns.open %}{{- '<|im_start|>user\\n' }}{% set ns.open = true %}{% endif %}
    {{- '<tool_response>\\n' ~ message.content ~ '\\n</tool_response>\\n' }}
    {%- if loop.last or loop.nextitem.role != 'tool' %}{{- '<|im_end|>\\n' }}{% set ns.open = false %}{% endif %}
  {%- else %}
    {{- '<|im_start|>' ~ message.role ~ '\\n' ~ message.content ~ '<|im_end|>\\n' }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- '<|im_start|>assistant\\n' ~ ('<think>\\n' if enable_thinking else '<think></think>') }}
{%- endif %}
"""

TOOLS = [
    {"type": "function", "function": {"name": "set", "description": " Writes a cell. ", "parameters": {
        "type": "object", "properties": {"key": {"type": "string", "enum": ["a", "b"]},
                                         "value": {"type": "integer", "minimum": 0, "maximum": 99}},
        "required": ["key", "value"]}}},
    {"type": "function", "function": {"name": "n\u00e9xt", "parameters": {"type": "object", "properties": {}}}},
]


def call(name, arguments):
    return {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}


CHATS = [
    [{"role": "user", "content": "Hi"}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi\n"},
     {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "caf\u00e9 \u4f60 <|im_end|> {{ x }}"}],
    [{"role": "user", "content": "go"},
     {"role": "assistant", "content": "", "tool_calls": [call("set", {"key": "a", "value": 1})]},
     {"role": "tool", "content": "{\"ok\": true}"}, {"role": "assistant", "content": "done"},
     {"role": "user", "content": "again"},
     {"role": "assistant", "content": "<think>\nhm\n</think>\n\nok", "tool_calls": [
         call("set", {"key": "b", "value": 2.5, "note": "x \"q\" \u00e9"})]},
     {"role": "tool", "content": "one"}, {"role": "tool", "content": "two"},
     {"role": "assistant", "content": "fine", "reasoning_content": "so\n"}],
    [{"role": "user", "content": "  spaces  "}, {"role": "assistant", "content": None, "tool_calls": [
        call("set", {}), call("n\u00e9xt", {"list": [1, {"a": None}], "t": True})]}],
    [],
]


def strip_marks(text):
    out, spans, start = bytearray(), [], 0
    for byte in text.encode("utf-8"):
        if byte == 1:
            start = len(out)
        elif byte == 2:
            spans.append([start, len(out)])
        else:
            out.append(byte)
    return out.decode("utf-8"), spans


def render(template, variables):
    try:
        text = environment().from_string(template).render(**variables)
    except (jinja2.exceptions.TemplateError, TypeError, ZeroDivisionError, ValueError,
            AttributeError, SyntaxError) as fault:
        return {"error": str(fault)[:80]}
    text, spans = strip_marks(text)
    return {"output": text, "spans": spans} if spans else {"output": text}


def small_cases():
    for line in EXPRESSIONS.strip().split("\n"):
        for expression in line.split("|"):
            yield "{{ " + expression + " }}"
    yield from FILTERED
    yield from STATEMENTS


def write(folder):
    folder.mkdir(parents=True, exist_ok=True)
    cases = [{"template": t, **render(t, VARIABLES)} for t in small_cases()]
    doc = {"now_ms": NOW_MS, "variables": VARIABLES, "small": cases, "chats": CHATS, "tools": TOOLS,
           "templates": {"qwen": QWEN, "llama": LLAMA, "xml": XML}, "renderings": []}
    for name, template in doc["templates"].items():
        for i, chat in enumerate(CHATS):
            for with_tools in (False, True):
                for prompt in (False, True):
                    for extra in ({}, {"enable_thinking": False}):
                        if extra and not prompt:
                            continue
                        variables = {"messages": chat, "tools": TOOLS if with_tools else None,
                                     "add_generation_prompt": prompt, "bos_token": "<s>",
                                     "eos_token": "<|im_end|>", "documents": None, **extra}
                        doc["renderings"].append({"template": name, "chat": i, "tools": with_tools,
                                                  "prompt": prompt, "extra": extra,
                                                  **render(template, variables)})
    (folder / "vectors.json").write_text(json.dumps(doc, ensure_ascii=False, indent=0) + "\n",
                                         encoding="utf-8")
