/* completion_script.c - scripts for the shells; each calls `troupe completion words`.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/config/completion.h"

/* bash splits words at ":" and "=". The script joins them for the call and removes the joined part
 * from the result. */
static const char bash[] =
    "# bash completion for troupe\n"
    "_troupe() {\n"
    "    local IFS=$'\\n' program=${COMP_WORDS[0]/#\\~/$HOME} word words=() glue='' line rest=''\n"
    "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD}\"; do\n"
    "        if [[ ${#words[@]} -gt 0 && ( -n $glue || $word =~ ^[:=]+$ ) ]]; then\n"
    "            words[${#words[@]}-1]+=$word\n"
    "        else\n"
    "            words+=(\"$word\")\n"
    "        fi\n"
    "        [[ $word =~ ^[:=]+$ ]] && glue=1 || glue=''\n"
    "    done\n"
    "    COMPREPLY=()\n"
    "    word=${words[${#words[@]}-1]}\n"
    "    local tail=${word##*[:=]}\n"
    "    local head=${word%\"$tail\"}\n"
    "    while read -r line; do\n"
    "        case $line in\n"
    "        :files) rest=-f ;;\n"
    "        :folders) rest=-d ;;\n"
    "        *) line=${line%%$'\\t'*} COMPREPLY+=(\"${line#\"$head\"}\") ;;\n"
    "        esac\n"
    "    done < <(\"$program\" completion words -- \"${words[@]}\" 2>/dev/null)\n"
    "    if [ -n \"$rest\" ]; then\n"
    "        COMPREPLY+=($(compgen \"$rest\" -- \"$tail\"))\n"
    "        compopt -o filenames 2>/dev/null\n"
    "    fi\n"
    "    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[:=] ]] && compopt -o nospace "
    "2>/dev/null\n"
    "    return 0\n"
    "}\n"
    "complete -F _troupe troupe\n";

static const char zsh[] =
    "#compdef troupe\n"
    "_troupe() {\n"
    "    local line rest program=${(Q)words[1]/#\\~/$HOME}\n"
    "    local -a found asked\n"
    "    asked=(\"${(@Q)words[2,CURRENT]}\")\n"
    "    for line in ${(f)\"$($program completion words -- \"${asked[@]}\" 2>/dev/null)\"}; do\n"
    "        case $line in\n"
    "        :files | :folders) rest=$line ;;\n"
    "        *$'\\t'*) found+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\") ;;\n"
    "        *) found+=(\"${line//:/\\\\:}\") ;;\n"
    "        esac\n"
    "    done\n"
    "    (( $#found )) && _describe -t words troupe found\n"
    "    [[ -n $rest ]] && compset -P '*[:=]'\n"
    "    case $rest in\n"
    "    :files) _files ;;\n"
    "    :folders) _files -/ ;;\n"
    "    esac\n"
    "}\n"
    "if [[ $funcstack[1] = _troupe ]]; then _troupe \"$@\"; else compdef _troupe troupe; fi\n";

/* The path may follow "=" in a word: --root=DIR. */
static const char fish[] = "function __troupe_folders\n"
                           "    set -l head (commandline -ct | string match -r '^--[^=]*=')\n"
                           "    set -l path (commandline -ct | string replace -r '^--[^=]*=' '')\n"
                           "    __fish_complete_directories $path '' | string replace -r -- '^' "
                           "\"$head\"\n"
                           "end\n"
                           "function __troupe_words\n"
                           "    set -l words (commandline -opc) (commandline -ct)\n"
                           "    $words[1] completion words -- $words[2..-1] 2>/dev/null\n"
                           "end\n"
                           "complete -c troupe -f -a '(__troupe_words | string match -v \":*\")'\n"
                           "complete -c troupe -n '__troupe_words | string match -q :files' -F\n"
                           "complete -c troupe -n '__troupe_words | string match -q :folders' -f "
                           "-a '(__troupe_folders)'\n";

const char *completion_script(const char *shell)
{
    return strcmp(shell, "bash") == 0   ? bash
           : strcmp(shell, "zsh") == 0  ? zsh
           : strcmp(shell, "fish") == 0 ? fish
                                        : NULL;
}
