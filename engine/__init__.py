"""The engine: kernels, a cluster, docker, a shell, labs and their grading. It knows no screen.

Every file, in reading order (a test keeps the list whole). A room's own `__init__` says more about it.

below all   errors.py say.py particles.py record.py unswept.py
linux       A Linux box's network; standard library only.
            addr.py packet.py linkinfo.py curve25519.py hashing.py rows.py flow.py fragment.py fib.py cttcp.py
            ctsctp.py conntrack.py ctproto.py layered.py lent.py trail.py sysctls.py asleep.py net.py (what there is),
            journey.py (what a packet did), skb.py choose.py behaviour.py clock.py status.py source.py multipath.py
            routeget.py sockets.py
  bpf/      rows.py maps.py text.py context.py hooks.py
  ops/      base.py bpf.py ports.py tunnels.py linkstate.py link.py device.py vxlanfdb.py address.py kernelroutes.py
            route.py rule.py nexthop.py neigh.py sysctl.py xt.py xtrestore.py xtchains.py nft.py nftrows.py
            ipset.py ipsetwords.py ipvs.py conntrack.py box.py command.py devicecommands.py commands.py
  xt/       tables.py rule.py match.py match_l4.py match_sctp.py match_multi.py match_state.py match_more.py
            match_header.py
            match_frame.py match_ct.py match_rate.py match_host.py match_set.py match_ipvs.py target.py
            target_more.py target_nat.py
            target_header.py target_steer.py target_set.py seen.py run.py, then the command: options.py extensions.py
            names.py vocabulary.py wordreader.py reader.py parse.py check.py refused.py command.py restore.py text.py
  nft/      types.py seen.py keys.py sets.py exprs.py tables.py statements.py changes.py rule.py run.py, then
            the language: lexer.py reader.py read_value.py read_expr.py context.py read_rule.py cmd.py read_block.py
            parse.py check.py suggest.py refused.py batch_sets.py batch.py text.py command.py
  ipset/    held.py rows.py kinds.py buckets.py sets.py expand.py packet.py text.py spell.py read.py refused.py
            command.py
  ipvs/     rows.py states.py table.py sched.py hashing.py
  walk/     words.py rowtext.py walker.py overheard.py flooding.py l2.py arp.py timers.py routing.py hooks.py
            programs.py words_tunnel.py tunnel.py vxlan.py ipip.py wireguard.py upper.py suppress.py devices.py
            inbound.py outbound.py fragments.py track.py nattuple.py nat.py words_ipvs.py ipvs.py deliver.py
            then, over the walker: act.py tcp.py datagram.py sctp.py exchange.py
  text/     linkinfo.py link.py address.py route.py rule.py nexthop.py neigh.py fdb.py socket.py services.py
            conntrack.py ipvs.py ipvsadm.py
  wire/     dns.py encode.py pcapfile.py
fabric      machine.py lan.py router.py plan.py
l7          serve.py http.py echo.py sink.py servers.py docker_proxy.py docker_dns.py port_forward.py logs.py
            behaviour.py behave.py images.py catalogue.py userspace_proxy.py kube_proxy.py kubelet.py calico.py
            nameserver.py
  dns/      corefile.py chain.py observe.py cache.py rewrite.py template.py hosts.py kubernetes.py loop.py forward.py
            setup.py server.py
docker      records.py names.py options.py errors.py ipam.py rules.py firewall.py network.py ports.py files.py
            endpoint.py spawn.py start.py images.py daemon.py show.py load.py
kube        options.py cluster.py objects.py manifests.py apiserver.py schema.py fields.py defaults.py podspec.py
            admission.py quota.py quantity.py patch.py strategic.py merge_keys.py
            select.py ids.py clock.py index.py events.py written.py store.py overlay.py passes.py watch.py
            connections.py scheduler.py ownership.py nodes.py, then one node: boot.py controlplane.py units.py
            kubeletconfig.py system.py masqagent.py kubelet_chains.py node.py sync.py stirred.py staticpods.py
            sleep.py forms.py dreaming.py kubelet.py probes.py probing.py stopping.py podenv.py poddns.py volumes.py
            remount.py imagepull.py containers.py podstatus.py heartbeat.py eviction.py containerd.py runtime.py
            registry.py
  scheduling/  nodes.py filters.py scores.py spread.py
  validate/  errors.py names.py pods.py podwarnings.py workloads.py services.py endpoints.py networking.py config.py
            others.py
  services/  defaults.py allocate.py kubernetes.py
  cni/      conf.py call.py bridge.py host_local.py portmap.py loopback.py masq.py kernel.py chain.py, then Calico:
            calico_conf.py calico_ipam.py calico.py calico_routes.py calico_agent.py calico_node.py
  policy/   semantics.py, then felix: endpoint.py selector.py convert.py render.py static.py chains.py picture.py
            felix.py explain.py
  workloads/  queue.py common.py adopt.py history.py rollout.py deployment.py replicaset.py daemonset.py
            statefulset.py job.py run.py
  controllers/  members.py triggers.py hints.py endpointslice.py endpoints.py mirroring.py garbage.py finalize.py
            nodelifecycle.py podgc.py
  proxy/    model.py configfields.py configtext.py config.py names.py topology.py picture.py sharing.py
            xtrows.py iptables.py nftrows.py nftables.py ipvs_plan.py ipvs.py userspace.py ipvs_agent.py conntrack.py
            health.py program.py agent.py cost.py
  dns/      records.py feed.py watch.py nodelocal.py cache.py
  addons/   calico.py coredns.py kube_proxy.py nodelocaldns.py priority_classes.py
shell       world.py place.py powers.py tool.py words.py expand.py shell.py procnet.py files.py resolver.py names.py
            bind.py sockets.py
            web.py servers.py podtools.py binary.py dissect.py pcapfilter.py complete.py unknown.py
  tools/    one file a real tool; __init__.py says which name is where
lab         doc.py reader.py describe.py describe_docker.py source.py carrier.py faults.py places.py lookup.py
            build.py trace.py deeds.py lab.py
grade       finding.py steps.py facts.py table.py flows.py state.py wanting.py goal.py draw.py ways.py exercise.py
            predict.py pose.py check.py hints.py beside.py lesson.py story.py course.py proof.py prove.py
real        devices.py plan.py rows.py pairs.py netlink.py getroute.py arpframes.py tables.py nfttrace.py sockets.py
            worker.py kernel.py stage.py guest.py second.py records.py tape.py compare.py
export      frames.py pcap.py telling.py svg.py markdown.py
"""
