"""Rules with every match and target that the model has, and some that the kernel or the tool refuses: (table, chain,
rule).

The sets that they name are made by SETS.
"""

from __future__ import annotations

SETS = (
    "create s hash:ip", "create p hash:ip,port", "create ti hash:ip timeout 5", "create n hash:net counters",
    "create l list:set", "create i hash:net,iface",
)  # fmt: skip

_FILTER = """
-m set --match-set s src
-m set ! --match-set p dst,dst --return-nomatch
-m set --match-set s src ! --update-counters ! --update-subcounters --packets-gt 4 ! --bytes-eq 7
-m set --match-set s src --packets-eq 3 --bytes-lt 8
-m set --match-set l src,dst,src,dst,src,dst
-m set --match-set l src,dst,src,dst,src,dst,src
-m set --match-set s foo
-m set --match-set s
-m set --match-set nope src
-m set
-m set --match-set s src --match-set p src
-m set --match-set s src ! --packets-gt 4
-m set --match-set s src --packets-gt 4 --packets-lt 3
-j SET --add-set s src --exist
-j SET --add-set ti src --timeout 7 --del-set s dst --exist
-j SET --map-set s src --map-mark
-j SET --map-set s src
-j SET
-j SET --del-set s src --exist
-j SET --del-set s src --timeout 5
-j SET --add-set nope src
-m conntrack --ctproto tcp
-m conntrack ! --ctproto 17 --ctstate NEW
-m conntrack --ctorigsrc 1.1.1.1 ! --ctorigdst 10.0.0.0/8 --ctreplsrc 1.2.3.4/24 --ctrepldst 2.2.2.2
-m conntrack --ctorigdst 0.0.0.0/0
-p tcp -m conntrack --ctorigsrcport 80 --ctorigdstport 80:90 ! --ctreplsrcport 5 --ctrepldstport 1:65535
-m conntrack --ctorigdstport http
-m conntrack --ctorigdstport foo
-m conntrack --ctstatus ASSURED,CONFIRMED,SEEN_REPLY,EXPECTED --ctdir REPLY
-m conntrack ! --ctstatus NONE --ctexpire 5
-m conntrack --ctstatus foo
-m conntrack --ctdir foo
-m conntrack ! --ctdir REPLY
-m conntrack --ctexpire 5:60 --ctstate NEW
-m conntrack --ctexpire 5:6:7
-m conntrack --ctexpire -1
-m conntrack --ctdir original ! --ctstate NEW
-m conntrack
-m recent --set
-m recent ! --rcheck --seconds 10800 --reap --hitcount 3 --name KUBE-SEP-X --mask 255.255.255.0 --rdest
-m recent --update --rttl --name a
-m recent --remove --rsource
-m recent --rcheck --set
-m recent --rcheck --reap
-m recent --rcheck --seconds 0
-m recent --set --rttl
-m recent --rcheck --hitcount 999
-m recent --name x
-m limit
-m limit --limit 10/min
-m limit --limit 5/s --limit-burst 7
-m limit --limit 1/hour --limit-burst 0
-m limit --limit 24/day
-m limit --limit 7/h
-m limit --limit 100
-m limit --limit 3/fortnight
-m limit --limit 100000/s
-m limit --limit 0/s
-m limit --limit-burst 10001
-m limit ! --limit 5/s
-m connlimit --connlimit-above 3
-m connlimit ! --connlimit-above 3 --connlimit-mask 24 --connlimit-daddr
-m connlimit --connlimit-upto 2 --connlimit-mask 0
-m connlimit --connlimit-upto 2 --connlimit-above 3
-m connlimit --connlimit-mask 3
-m length --length 100
-m length ! --length 100:200
-m length --length :200
-m length --length 200:
-m length --length 70000
-m length
-m ttl --ttl-eq 64
-m ttl ! --ttl-eq 64
-m ttl --ttl-lt 64
-m ttl --ttl-gt 0x10
-m ttl --ttl 5
-m ttl --ttl-eq 256
-m ttl
-m ttl --ttl-eq 5 --ttl-gt 4
-m pkttype --pkt-type unicast
-m pkttype ! --pkt-type bcast
-m pkttype --pkt-type foo
-m tos --tos 0x10
-m tos --tos Minimize-Delay
-m tos ! --tos 0x10/0x1f
-m tos --tos 0x100
-m tos --tos foo
-m dscp --dscp 8
-m dscp ! --dscp-class AF41
-m dscp --dscp 64
-m dscp
-m iprange --src-range 1.1.1.1-2.2.2.2
-m iprange ! --dst-range 1.1.1.1 --src-range 1.1.1.1-1.1.1.9
-m iprange --src-range foo
-m iprange
-m mac --mac-source 02:00:00:0a:0B:0c
-m mac ! --mac-source 02:00:00:00:00:01
-m mac --mac-source 02:00
-p tcp --tcp-option 8
-p tcp --dport 80 --syn ! --tcp-option 2
-p tcp --tcp-option 0
-m socket
-m rpfilter
-j NFLOG
-j NFLOG --nflog-group 2 --nflog-prefix pre --nflog-size 80 --nflog-threshold 5
-j NFLOG --nflog-group 2 --nflog-prefix "A|x y"
-j NFLOG --nflog-group 65536
-j TRACE
-j TTL --ttl-dec 5
-j TOS --xor-tos 3
-j NETMAP --to 10.1.2.3
-j CT --zone 5
-m quota --quota 1000
-m quota ! --quota 5
-m quota
-f -j DROP
! -f -j DROP
-p tcp -f -m tcp --dport 80
-p tcp -m tcp --tcp-flags ALL NONE
-m owner --uid-owner 0-9999
"""
_PREROUTING = """
-m rpfilter
-m rpfilter --loose --validmark --accept-local --invert
-m rpfilter --loose --loose
-m socket
-m socket --transparent --nowildcard --restore-skmark
-p tcp -j TPROXY --on-port 15001
-p tcp -j TPROXY --on-port 15001 --on-ip 127.0.0.1 --tproxy-mark 0x1/0x1
-j TPROXY --on-port 15001
-p tcp -j TPROXY
-p tcp -j TPROXY --on-port foo
-p udp -j TPROXY --on-port 0 --tproxy-mark 1337
-j TTL --ttl-set 5
-j TTL --ttl-inc 5
-j TTL --ttl-dec 5
-j TTL --ttl-dec 0
-j TTL
-j DSCP --set-dscp 8
-j DSCP --set-dscp-class EF
-j DSCP
-j TOS --set-tos 0x10
-j TOS --set-tos Minimize-Cost
-j TOS --and-tos 3
-j TOS --or-tos 3
-j TOS --xor-tos 3
-j TOS --set-tos 1/2
-j TOS
-j SET --map-set s src --map-mark
-j CLASSIFY --set-class 1:10
"""
_OTHER = """
mangle INPUT -p tcp -j TPROXY --on-port 15001
mangle POSTROUTING -j CLASSIFY --set-class 1:10
mangle POSTROUTING -j CLASSIFY --set-class zz
mangle POSTROUTING -p udp -j CHECKSUM --checksum-fill
mangle POSTROUTING -m mac --mac-source 02:00:00:00:00:01
mangle POSTROUTING -j CHECKSUM
nat PREROUTING -j NETMAP --to 10.1.0.0/16
nat POSTROUTING -j NETMAP --to 10.1.2.3
nat INPUT -j NETMAP --to 10.1.2.0/24
nat PREROUTING -j NETMAP
raw PREROUTING -j CT --zone 5
raw PREROUTING -j CT --zone mark
raw PREROUTING -j CT --zone-orig 5
raw PREROUTING -j CT --zone-reply mark
raw PREROUTING -j CT
raw PREROUTING -j CT --zone 0
raw PREROUTING -j CT --zone 65536
raw PREROUTING -m rpfilter --invert -j DROP
raw PREROUTING -j TRACE
raw OUTPUT -m rpfilter --invert -j DROP
"""


def rules() -> list[tuple[str, str, str]]:
    """(table, chain, rule)."""
    out = [("filter", "INPUT", row) for row in _FILTER.strip().splitlines()]
    out += [("mangle", "PREROUTING", row) for row in _PREROUTING.strip().splitlines()]
    return out + [tuple(row.split(" ", 2)) for row in _OTHER.strip().splitlines()]  # type: ignore[misc]


#: sets that rules ask and change; what rules put in goes to the last ones
PLAYED = tuple(
    """
create hs hash:ip
add hs 10.0.0.2
add hs 10.9.0.2
create hn hash:net counters
add hn 10.0.0.0/8
add hn 10.9.0.0/24 nomatch
add hn 10.9.0.3
create hp hash:ip,port
add hp 10.9.0.2,udp:80
add hp 10.9.0.2,tcp:81
add hp 10.0.0.1,icmp:8/0
create hpi hash:ip,port,ip
add hpi 10.9.0.2,udp:80,10.0.0.2
create hpn hash:ip,port,net
add hpn 10.9.0.2,udp:81,10.0.0.0/30
add hpn 10.9.0.2,udp:81,10.0.0.3 nomatch
create np hash:net,port
add np 10.9.0.0/30,tcp:80
add np 10.0.0.0/8,udp:81
create ni hash:net,iface
add ni 10.0.0.0/8,v0
add ni 10.9.0.0/16,w wildcard
add ni 10.9.0.2,v0
create bi bitmap:ip range 10.0.0.0/29
add bi 10.0.0.2
create bp bitmap:port range 70-90
add bp 80
create ls list:set
add ls hs
add ls hp
create a1 hash:ip counters
create a2 hash:ip,port
create a3 hash:net
add a3 1.0.0.0/24
create a4 bitmap:port range 0-100
create a5 list:set
add a5 a1
create a6 hash:ip skbinfo
add a6 10.0.0.3 skbmark 0x5/0xff
""".strip("\n").split("\n")
)
#: -m set --match-set
ASKS = tuple(
    """
hs src
hs dst
hs src,dst
hn src
hn dst
hn dst --return-nomatch
hp dst,dst
hp src,src
hp src
hpi dst,dst,src
hpi dst,dst,dst
hpn dst,dst,src
hpn dst,dst,src --return-nomatch
np dst,dst
np src,dst
ni src,src
ni dst,dst
ni dst,src
bi src
bi dst
bp dst
bp src
ls src
ls dst,dst
hn src --packets-gt 2
hn src ! --update-counters
hn src --bytes-lt 100
a1 src
a2 src,dst
a5 src
""".strip("\n").split("\n")
)
#: matches that the frames of the test can tell apart
CONDITIONS = tuple(
    """
-m length --length 38
-m length ! --length 0:50
-m ttl --ttl-eq 64
-m ttl --ttl-lt 5
-m ttl ! --ttl-eq 63
-m ttl --ttl-gt 63
-m tos --tos 0x10/0x1f
-m tos ! --tos 0
-m dscp --dscp 4
-m dscp ! --dscp-class CS0
-m pkttype --pkt-type unicast
-m iprange --src-range 10.0.0.2-10.0.0.9
-m iprange ! --dst-range 10.9.0.3
-m limit --limit 1/hour --limit-burst 3
-m quota --quota 200
-m quota ! --quota 100
-m conntrack --ctdir ORIGINAL
-m conntrack --ctdir REPLY
-m conntrack --ctproto udp
-m conntrack --ctorigsrc 10.0.0.0/30
-m conntrack ! --ctorigdst 10.9.0.2
-m conntrack --ctrepldst 10.0.0.2
-m conntrack --ctreplsrc 10.9.0.2
-m conntrack --ctstatus SEEN_REPLY
-m conntrack ! --ctstatus CONFIRMED
-m conntrack --ctstatus NONE
-m conntrack --ctstate NEW --ctdir ORIGINAL
-m conntrack --ctstate ESTABLISHED
-m conntrack --ctstate DNAT
-m conntrack --ctstate INVALID
-m conntrack ! --ctorigdstport 80:81
-m conntrack --ctreplsrcport 80
-m statistic --mode nth --every 3 --packet 1
-m recent --name r1 --set
-m recent --name r1 --rcheck
-m recent ! --rcheck --name r1 --hitcount 3
-m recent --name r1 --update --seconds 100 --hitcount 2
-m recent --name r2 --set --rdest
-m recent --name r2 --remove --rdest
-m recent --name r3 --set --mask 255.255.0.0
-m recent --name r3 --rcheck --seconds 50 --reap --mask 255.255.0.0
-p tcp --tcp-option 8
-p tcp ! --tcp-option 2
-p tcp --tcp-option 4
-m mark --mark 0x1
-m mark ! --mark 0
-m connmark --mark 5
-p icmp -m icmp --icmp-type 8
-p udp -m multiport --ports 81,1000
-p udp ! --dport 80
-p tcp -m tcp --tcp-flags SYN,ACK SYN
-m addrtype --dst-type LOCAL
-s 10.0.0.3
-d 10.9.0.0/16
-f
! -f
""".strip("\n").split("\n")
)
#: what only some chains take
MAC = tuple(
    """
-m mac --mac-source 02:00:00:00:00:aa
-m mac ! --mac-source 02:00:00:00:00:bb
""".strip("\n").split("\n")
)
#: what only PREROUTING takes
EARLY = tuple(
    """
-m rpfilter
-m rpfilter --invert
-m rpfilter --loose
-m rpfilter --accept-local --loose
-m rpfilter --validmark --invert
-m socket
-m socket --nowildcard
-m socket --transparent --nowildcard
""".strip("\n").split("\n")
)
ACTIONS = tuple(
    """
-j MARK --set-xmark 0x1/0x1
-j MARK --set-xmark 0x0/0xffffffff
-j CONNMARK --set-xmark 0x5/0xff
-j CONNMARK --restore-mark
-j RETURN
-j SET --add-set a1 src
-j SET --add-set a1 src --exist
-j SET --add-set a2 src,dst
-j SET --del-set a1 src
-j SET --add-set a3 dst
-j SET --add-set a4 dst
-j SET --add-set a5 dst --del-set a2 src,dst
-j user
-g user
-j NFLOG --nflog-group 3
""".strip("\n").split("\n")
)
MANGLE = tuple(
    """
-j TTL --ttl-set 5
-j TTL --ttl-inc 3
-j TTL --ttl-dec 2
-j TOS --set-tos 0x10/0xff
-j TOS --xor-tos 0x8
-j DSCP --set-dscp 8
-j SET --map-set a6 src --map-mark
""".strip("\n").split("\n")
)
NAT = tuple(
    """
-A PREROUTING -d 10.9.0.77 -j DNAT --to-destination 10.9.0.2
-A POSTROUTING -s 10.0.0.3 -o w0 -j MASQUERADE
-A PREROUTING -d 10.8.0.0/16 -j NETMAP --to 10.9.0.0/16
-A PREROUTING -p udp --dport 99 -j REDIRECT --to-ports 7000
""".strip("\n").split("\n")
)
RAWS = tuple(
    """
-A PREROUTING -s 10.0.0.9 -j CT --notrack
-A PREROUTING -i w0 -j CT --zone 7
-A PREROUTING -p icmp -j TRACE
""".strip("\n").split("\n")
)
TPROXY = tuple(
    """
-A PREROUTING -p udp --dport 82 -j TPROXY --on-port 7002 --tproxy-mark 0x1/0x1
-A PREROUTING -p udp --dport 83 -j TPROXY --on-port 7001 --on-ip 127.0.0.1
-A PREROUTING -p tcp --dport 82 -j TPROXY --on-port 7002 --on-ip 10.0.0.1
""".strip("\n").split("\n")
)
