"""WireGuard: the inner packet's addresses choose the key, and the key the way (cryptokey routing), both ways.

Theory, out (wg_xmit): the peer whose allowed IPs hold the destination best; none: ENOKEY and host unreachable; a peer
without endpoint: EDESTADDRREQ. Without a session a handshake comes first: initiation and response, each an ordinary
UDP packet of this host with the device's fwmark. In (wg_packet_receive): the message is for this device's key and
from a peer's key or it is dropped in silence; what was inside must have a source that is allowed for that very peer.
Whoever speaks with the right key is at the address that it spoke from (roaming). Sources: drivers/net/wireguard/
{device,send,receive,noise,allowedips}.c; wireguard.com/papers/wireguard.pdf.
"""

from __future__ import annotations

from engine.linux.addr import Prefix, text4
from engine.linux.curve25519 import public
from engine.linux.journey import Outcome, Place, StepKind, Walk
from engine.linux.linkinfo import WgPeer
from engine.linux.linkinfo import WireGuard as Info
from engine.linux.net import Netns
from engine.linux.packet import IPv4, Packet, Proto, Udp, WireGuard
from engine.linux.rows import Link, Port, WgSession
from engine.linux.skb import Skb
from engine.linux.walk import deliver, tunnel
from engine.linux.walk import words_tunnel as words
from engine.linux.walk.walker import Answering, End, Event, Walker
from engine.record import replace
from engine.say import Said

#: seconds: an initiator asks for new keys, and nobody accepts old ones any more
REKEY_AFTER, REJECT_AFTER = 120.0, 180.0


def info_of(link: Link) -> Info:
    assert isinstance(link.info, Info)
    return link.info


def short(key: str) -> str:
    return f"{key[:8]}…"


def allowed_for(info: Info, address: int) -> WgPeer | None:
    """The peer with the longest allowed network around an address."""
    best: tuple[int, WgPeer] | None = None
    for peer in info.peers:
        for net, length in peer.allowed:
            if address in Prefix(net, length) and (best is None or length > best[0]):
                best = (length, peer)
    return best[1] if best is not None else None


def session(w: Walker, ns: Netns, link: Link, key: str) -> WgSession | None:
    """The session with a peer while its keys are accepted."""
    found = ns.wg_sessions.get((link.ifindex, key))
    return found if found is not None and w.net.clock - found.since < REJECT_AFTER else None


def transmit(w: Walker, ns: Netns, link: Link, packet: Packet, skb: Skb) -> Event:
    """A packet leaves by a WireGuard device."""
    info = info_of(link)
    place = w.at(ns, link.name, "out")
    peer = allowed_for(info, packet.ip.dst)
    unreachable = deliver.icmp_error(ns, Skb(packet=packet, ct=skb.ct, ctstate=skb.ctstate), 3, 1)
    if peer is None:
        why = words.WG_NO_PEER(dev=link.name, dst=text4(packet.ip.dst))
        error = "ENOKEY" if skb.local else ""
        return w.drop(place, packet, why, Outcome.DROPPED, error=error, answer=unreachable)
    if peer.endpoint is None:
        why = words.WG_NO_ENDPOINT(peer=short(peer.key))
        error = "EDESTADDRREQ" if skb.local else ""
        return w.drop(place, packet, why, Outcome.DROPPED, error=error, answer=unreachable)
    held = session(w, ns, link, peer.key)
    if held is None or (held.initiator and w.net.clock - held.since >= REKEY_AFTER):
        asked = handshake(w, ns, link, peer, skb)
        w.step(StepKind.ENCAP, place, packet, why=words.WG_HANDSHAKE(peer=short(peer.key)), aside=asked)
        held = session(w, ns, link, peer.key)
        link = ns.links[link.ifindex]
        info, peer = info_of(link), info_of(link).peer(peer.key) or peer
    if held is None or peer.endpoint is None:
        why = words.WG_NO_ANSWER(peer=short(peer.key))
        return w.drop(place, packet, why, Outcome.DROPPED)
    size = packet.length()
    pad = min(link.mtu, -(-size // 16) * 16) - size if size <= link.mtu else -size % 16
    head = WireGuard(sender=public(info.private), to=peer.key, counter=held.sent, pad=max(pad, 0))
    ns.wg_sessions[link.ifindex, peer.key] = replace(
        held, sent=held.sent + 1, transmitted=held.transmitted + head.header_length() + size
    )
    why = words.WG_PEER(dst=text4(packet.ip.dst), peer=short(peer.key), remote=endpoint_text(peer.endpoint))
    return send(w, ns, link, skb, packet, head, peer.endpoint, why)


def endpoint_text(endpoint: tuple[int, int]) -> str:
    return f"{text4(endpoint[0])}:{endpoint[1]}"


def send(
    w: Walker, ns: Netns, link: Link, skb: Skb, inner: Packet, head: WireGuard, to: tuple[int, int], why: Said
) -> Event:
    info = info_of(link)
    return tunnel.send_outer(
        w, ns, link, skb, inner, (Udp(sport=info.port, dport=to[1]), head), dst=to[0], src=0, proto=Proto.UDP, ttl=0,
        mark=info.fwmark, fib_mark=info.fwmark, why=why,
    )  # fmt: skip


def handshake(w: Walker, ns: Netns, link: Link, peer: WgPeer, skb: Skb) -> tuple[Walk, ...]:
    """Walk the initiation and its response; whoever receives them writes the sessions."""
    info = info_of(link)
    if not info.private or peer.endpoint is None:
        return ()
    out = w.fork()
    message = WireGuard(message="initiation", sender=public(info.private), to=peer.key)
    why = words.WG_HANDSHAKE(peer=short(peer.key))
    end = out.run(send(out, ns, link, skb, Packet(()), message, peer.endpoint, why))
    walks = [out.walk(end)]
    if end.answer is not None:
        back = w.fork()
        answer = end.answer
        done = back.send(answer.netns, answer.packet, ct_of=answer.ct_of, mark=answer.mark)
        walks.append(back.walk(done, answer.packet))
    return tuple(walks)


def receive(w: Walker, ns: Netns, skb: Skb, place: Place, port: Port) -> Event:
    """A message for the port of a WireGuard device."""
    there, link = tunnel.device(w, port)
    info = info_of(link)
    packet = skb.packet
    message = packet.layers[2] if len(packet.layers) > 2 else None
    at = w.at(there, link.name, "in")
    if not isinstance(message, WireGuard) or not info.private or message.to != public(info.private):
        return w.drop(at, packet, words.WG_UNKNOWN(dev=link.name), Outcome.DROPPED)
    peer = info.peer(message.sender)
    if peer is None:
        return w.drop(at, packet, words.WG_UNKNOWN(dev=link.name), Outcome.DROPPED)
    key = (link.ifindex, peer.key)
    if message.message in ("data", "keepalive") and session(w, there, link, peer.key) is None:
        return w.drop(at, packet, words.WG_NO_SESSION(dev=link.name), Outcome.DROPPED)
    roam(there, link, peer, (packet.ip.src, packet.ports[0]))
    done = End(outcome=Outcome.DELIVERED, netns=there.id, packet=packet)
    if message.message == "initiation":
        there.wg_sessions[key] = WgSession(since=w.net.clock, received=148, transmitted=92)
        remote = endpoint_text((packet.ip.src, packet.ports[0]))
        w.step(
            StepKind.SOCKET,
            at,
            packet,
            why=words.WG_SHAKEN(dev=link.name, peer=short(peer.key), remote=remote),
        )
        response = Packet(
            (
                IPv4(src=packet.ip.dst, dst=packet.ip.src, proto=Proto.UDP, ttl=deliver.default_ttl(ns), df=False),
                Udp(sport=info.port, dport=packet.ports[0]),
                WireGuard(message="response", sender=message.to, to=message.sender),
            )
        )  # fmt: skip
        return replace(done, answer=Answering(netns=ns.id, packet=response, mark=info.fwmark))
    if message.message == "response":
        there.wg_sessions[key] = WgSession(since=w.net.clock, initiator=True, received=92, transmitted=148)
        w.step(StepKind.SOCKET, at, packet, why=words.WG_READY(peer=short(peer.key)))
        return done
    inner = packet.inner
    if inner is None:
        return done
    held = there.wg_sessions[key]
    size = message.header_length() + inner.length()
    there.wg_sessions[key] = replace(held, received=held.received + size)
    if allowed_key(info, inner) != peer.key:
        why = words.WG_WRONG_SOURCE(src=text4(inner.ip.src), peer=short(peer.key))
        return w.drop(at, packet, why, Outcome.DROPPED)
    fresh = Skb(packet=packet)
    return tunnel.enter(w, ns, fresh, there, there.links[link.ifindex], inner)


def allowed_key(info: Info, inner: Packet) -> str:
    peer = allowed_for(info, inner.ip.src)
    return peer.key if peer is not None else ""


def roam(ns: Netns, link: Link, peer: WgPeer, endpoint: tuple[int, int]) -> None:
    """The peer is where it spoke from."""
    if peer.endpoint == endpoint:
        return
    info = info_of(link)
    peers = tuple(replace(one, endpoint=endpoint) if one.key == peer.key else one for one in info.peers)
    ns.links[link.ifindex] = replace(link, info=replace(info, peers=peers))
