# serve_hub.sh - starts the server of this folder on a free port, and waits until it is ready. The files
# `url`, `token` and `auth` are for the other commands.
# SPDX-License-Identifier: Apache-2.0
umask 077
timeout 300 troupe serve --listen 127.0.0.1:0 "$@" >serve.out 2>serve.log &
echo $! >serve.pid
until grep -q "^listening on" serve.out; do
    kill -0 "$(cat serve.pid)" || exit 1
    sleep 0.1
done
sed -n 's/^listening on //p' serve.out >url
if grep -q '^token ' serve.out; then # only at the first start
    sed -n 's/^token //p' serve.out >token
fi
echo "Authorization: Bearer $(cat token)" >auth
