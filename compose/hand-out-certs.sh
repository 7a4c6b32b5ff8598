#!/bin/sh
# Copies from /made what each container needs to /certs/NAME: its certificate and key, the CA, and the public keys of tokens.
set -eu

hand_out() { # The name, and the user who reads the files.
    for file in ca.pem jwks.json; do
        cp "/made/$file" "/certs/$1/$file.new"
        chmod 0444 "/certs/$1/$file.new"
        mv "/certs/$1/$file.new" "/certs/$1/$file"
    done
    for kind in key pem; do
        cp "/made/$1.$kind" "/certs/$1/tls.$kind.new"
        chmod 0400 "/certs/$1/tls.$kind.new"
        chown "$2" "/certs/$1/tls.$kind.new"
        mv "/certs/$1/tls.$kind.new" "/certs/$1/tls.$kind"
    done
    chmod 0755 "/certs/$1"
}

hand_out catalog 10001:10001
hand_out customer 10001:10001
hand_out order 10001:10001
hand_out postgres "$(id -u postgres):$(id -g postgres)"
