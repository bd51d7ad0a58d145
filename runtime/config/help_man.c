/* help_man.c - the manual page troupe(1), from the tables of commands and options.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <string.h>

#include "runtime/base/str.h"
#include "runtime/config/options_internal.h"

struct entry {
    const char *term, *text;
};

/* A test checks that each command and its options exist. */
static const struct entry examples[] = {
    {"troupe run blueprints/shipped/ledger.yaml --var horizon=100 --seed 7",
     "Run a workflow. Every step is recorded, and the run survives a crash."},
    {"troupe resume last", "Continue the newest run after Ctrl-C, a crash or a question."},
    {"troupe show last --tokens", "Show every step of the newest run, with the tokens of every "
                                  "model call."},
    {"troupe answer last yes", "Answer the question that the newest run waits for."},
    {"troupe eval ledger --model embedded --horizon 10,30,100",
     "Evaluate a model: print success rates with confidence intervals, and record them."},
    {"troupe train sft --env ledger --model new --out out/base",
     "Train a model from random weights on an environment's demonstrations."},
    {"troupe train grpo --env ledger --model out/base --out out/trained",
     "Improve it by reinforcement learning. Add --resume to continue after an interruption."},
    {"troupe plot out/trained --out curves.svg", "Plot the curves of a training."},
    {"troupe generate --model embedded --prompt 'ORDd+7|' --max-tokens 8",
     "Complete a text with the model alone, without agents."},
    {"troupe config set threads 4", "Save a setting in the user's configuration file."},
};

static const struct entry exits[] = {
    {"0", "Success. A run that ended ok is a success even if its verdict is a failure."},
    {"1", "The program or the system failed."},
    {"2", "Usage error: an unknown option or an invalid value."},
    {"3", "The run did not end ok: error, budget, rejected or cancelled."},
    {"4", "The run waits for an answer."},
    {"75", "Another process uses the store or the run. Try again."},
    {"78", "The configuration, the blueprint or the store is invalid."},
    {"124", "The run exceeded --timeout."},
    {"130", "Interrupted (SIGINT). Finished work is saved."},
    {"143", "Terminated (SIGTERM). Finished work is saved."},
};

static const struct entry variables[] = {
    {"XDG_CONFIG_HOME", "The user's configuration file is troupe/config.yaml in this folder; "
                        "default ~/.config."},
    {"XDG_DATA_HOME",
     "The user's store is troupe/store.db in this folder, and troupe/models has the models "
     "that `models get` fetched; default ~/.local/share."},
    {"XDG_STATE_HOME", "troupe/chat_history in this folder has what was typed in talks; default "
                       "~/.local/state."},
    {"HF_HUB_CACHE, HF_HOME", "The Hugging Face cache that holds the model hf:ORG/NAME: "
                              "$HF_HUB_CACHE, else $HF_HOME/hub, else ~/.cache/huggingface/hub. "
                              "Nothing is downloaded."},
    {"TERM", "Progress is a single line that is updated in place, unless TERM is dumb."},
};

static const struct entry files[] = {
    {"./troupe.yaml", "Settings of the working folder: a mapping of the options listed under "
                      "ENVIRONMENT."},
    {"$XDG_CONFIG_HOME/troupe/config.yaml", "Settings of the user, in the same format. `troupe "
                                            "config set` writes them."},
    {".troupe/store.db", "The store of a project (SQLite). The nearest one from the working "
                         "folder upward is used. `troupe init` creates it."},
    {"$XDG_DATA_HOME/troupe/store.db", "The user's store, used outside a project."},
    {"STORE.log", "Messages of runs started with --detach, next to the store."},
};

/* Escapes roff's special characters. roff itself breaks lines that begin with a blank. */
static void put_roff(const char *text, struct str *out)
{
    bool line_start = true;

    for (; *text; text++) {
        if (*text == '\\')
            str_puts(out, "\\e");
        else if (*text == '-')
            str_puts(out, "\\-");
        else if (*text == '~')
            str_puts(out, "\\(ti");
        else if (*text == '^')
            str_puts(out, "\\(ha");
        else if (*text == '`')
            str_puts(out, "\\(ga");
        else if (*text == '\'')
            str_puts(out, "\\(aq");
        else if (line_start && *text == '.')
            str_puts(out, "\\&.");
        else
            str_putc(out, *text);
        line_start = *text == '\n';
    }
}

/* .TP, the term in bold, its text. */
static void put_entries(const struct entry *e, size_t n, struct str *out)
{
    for (size_t i = 0; i < n; i++) {
        str_puts(out, ".TP\n\\fB");
        put_roff(e[i].term, out);
        str_puts(out, "\\fR\n");
        put_roff(e[i].text, out);
        str_putc(out, '\n');
    }
}

static void put_command(const struct command_spec *c, struct str *out)
{
    str_puts(out, ".SS troupe ");
    put_roff(c->name, out);
    str_puts(out, *c->args ? " " : "");
    put_roff(c->args, out);
    str_putc(out, '\n');
    put_roff(c->summary, out);
    str_putc(out, '\n');
    if (c->details) {
        str_puts(out, ".PP\n");
        put_roff(c->details, out);
        str_putc(out, '\n');
    }
    if (!c->options || *c->options == OPT_END)
        return;
    str_puts(out, ".PP\nOptions:");
    for (const enum option_id *id = c->options; *id != OPT_END; id++) {
        str_puts(out, id == c->options ? " \\fB\\-\\-" : ", \\fB\\-\\-");
        put_roff(option_spec(*id)->name, out);
        str_puts(out, "\\fR");
    }
    str_puts(out, ".\n");
}

static void put_option_text(const struct option_spec *s, struct str *out)
{
    put_roff(s->help, out);
    if (s->otherwise) {
        str_puts(out, " [");
        put_roff(s->otherwise, out);
        str_putc(out, ']');
    }
    str_putc(out, '\n');
}

static void put_option(enum option_id id, const struct command_spec *const *commands, int32_t n,
                       struct str *out)
{
    const struct option_spec *s = option_spec(id);

    str_puts(out, ".TP\n\\fB\\-\\-");
    put_roff(s->name, out);
    str_puts(out, "\\fR");
    if (s->metavar) {
        str_puts(out, " \\fI");
        put_roff(s->metavar, out);
        str_puts(out, "\\fR");
    }
    str_putc(out, '\n');
    put_option_text(s, out);
    for (int32_t i = 0; i < n; i++) {
        const struct option_spec own = option_for(commands[i], id);

        if (!options_list_has(commands[i]->options, id) ||
            (own.help == s->help && own.otherwise == s->otherwise))
            continue;
        str_puts(out, ".br\n\\fB");
        put_roff(commands[i]->name, out);
        str_puts(out, "\\fR: ");
        put_option_text(&own, out);
    }
}

static void put_options(const struct command_spec *const *commands, int32_t n, struct str *out)
{
    str_puts(out, ".SH OPTIONS\nGeneral options, for every command:\n");
    for (const enum option_id *id = options_general; *id != OPT_END; id++)
        put_option(*id, commands, n, out);
    str_puts(out,
             ".PP\nThe other options apply to the commands that list them above. Defaults are in "
             "brackets.\n");
    for (int id = 0; id < OPT_N; id++)
        for (int32_t i = 0; i < n; i++)
            if (options_list_has(commands[i]->options, (enum option_id)id)) {
                put_option((enum option_id)id, commands, n, out);
                break;
            }
}

static void put_environment(struct str *out)
{
    str_puts(out, ".SH ENVIRONMENT\n.TP\n\\fBTROUPE_\\fR\\fIOPTION\\fR\nThe value of an option "
                  "that is not given on the command line:");
    const char *before = " TROUPE_";
    for (int id = 0; id < OPT_N; id++) {
        const struct option_spec *s = option_spec((enum option_id)id);

        if (!(s->flags & OPTION_IN_FILE))
            continue;
        str_puts(out, before);
        before = ", TROUPE_";
        for (const char *c = s->name; *c; c++)
            str_putc(out, *c == '-' ? '_' : (char)toupper((unsigned char)*c));
    }
    str_puts(out, ".\n");
    put_entries(variables, sizeof(variables) / sizeof(variables[0]), out);
}

void help_man(const struct command_spec *const *commands, int32_t n, const char *version,
              struct str *out)
{
    str_printf(out, ".TH TROUPE 1 \"\" \"troupe %s\" \"Troupe manual\"\n.SH NAME\n", version);
    str_puts(out,
             "troupe \\- agents that share one model, work through tools and learn\n"
             ".SH SYNOPSIS\n\\fBtroupe\\fR \\fICOMMAND\\fR [\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]\n"
             ".br\n\\fBtroupe help\\fR [\\fICOMMAND\\fR]\n"
             ".SH DESCRIPTION\n"
             "Troupe runs agents that share one model, use tools and follow workflows "
             "(blueprints). Every step is recorded in the store, a SQLite file. A run survives a "
             "crash, can be inspected token by token, and can be used for training. The same "
             "program evaluates models in environments with exact verdicts, and trains them.\n"
             ".PP\n"
             "A model is given with \\fB\\-\\-model\\fR: \\fBembedded\\fR (inside the program), a "
             "folder, \\fBhf:\\fR\\fIORG/NAME\\fR (the local Hugging Face cache) or "
             "\\fBscript:\\fR\\fIFILE\\fR (scripted replies). A \\fIRUN\\fR is a unique prefix of "
             "a run's id, or \\fBlast\\fR.\n.PP\n"
             "Results go to standard output, progress and messages to standard error. With "
             "\\fB\\-\\-json\\fR the result is one JSON document.\n"
             ".SH COMMANDS\n");
    for (int32_t i = 0; i < n; i++)
        put_command(commands[i], out);
    put_options(commands, n, out);
    str_puts(out, ".SH EXAMPLES\n");
    put_entries(examples, sizeof(examples) / sizeof(examples[0]), out);
    str_puts(out, ".SH EXIT STATUS\n");
    put_entries(exits, sizeof(exits) / sizeof(exits[0]), out);
    put_environment(out);
    str_puts(out, ".SH FILES\n");
    put_entries(files, sizeof(files) / sizeof(files[0]), out);
    str_puts(out,
             ".SH SEE ALSO\n.BR sqlite3 (1)\n.PP\n\\fBtroupe help\\fR \\fICOMMAND\\fR prints the "
             "help of one command.\n");
}
