#!/bin/bash
# Makes the goldens anew with the real nft, in namespaces of its own: NAME.nft -> NAME.out (as listed),
# NAME.numeric (nft -n), commands.txt -> commands.out. Made with nftables 1.0.6 on Linux 6.18.
cd "$(dirname "$0")" || exit 1
for file in *.nft; do
    name=${file%.nft}
    unshare -Urn sh -c "ip link set lo up; nft -f $file && nft list ruleset" > "$name.out" || exit 1
    unshare -Urn sh -c "ip link set lo up; nft -f $file && nft -n -s list ruleset" > "$name.numeric" || exit 1
done
sed -i 's/ expires [^ ,]*/ expires X/g' ./*.out ./*.numeric
# shellcheck disable=SC2016
unshare -Urn bash -c 'while read -r line; do echo "\$ nft $line"; set -f; nft $line; echo "= $?"; done < commands.txt' \
    > commands.out 2>&1
