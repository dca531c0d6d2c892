"""The images that the registries of every lab hold: a table, from the images' own Dockerfiles.

Rules. One entry a repository; a second entry only where tags differ in what is inside (alpine and slim variants
come before the plain one, because the first pattern that fits wins). Tools are what the image really ships, as far
as the lab's shell has such a tool. Sizes are of the amd64 image, unpacked, to three digits. Sources: the
repositories' Dockerfiles on GitHub (docker-library, nicolaka/netshoot, kubernetes/test/images ...).
"""

from __future__ import annotations

from engine.l7.images import Image


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: POSIX-ish commands of every image that has a shell at all.
CORE = _words(
    "sh [ awk base64 basename cat chmod chown cp cut date dd df dirname du echo env expr false find grep egrep fgrep "
    "head hostname id kill ln ls md5sum mkdir mktemp mv nproc printenv printf ps pwd readlink rm rmdir sed seq "
    "sha256sum sleep sort stat sync tail tee test touch tr true tty uname uniq wc which whoami xargs yes"
)
#: debian and its slim variants have neither ps nor which beyond these.
DEBIAN = (CORE - {"ps"}) | {"bash", "apt-get", "dpkg", "getent", "nsenter", "lsns", "unshare", "mount"}
BUSYBOX = CORE | _words(
    "arp arping brctl clear ash hexdump httpd ifconfig ip killall less more nc netstat nslookup nsenter ping ping6 "
    "pgrep pkill route sysctl telnet top traceroute unshare vi watch wget"
)
ALPINE = (BUSYBOX - {"httpd"}) | {"apk", "getent"}
NETSHOOT = ALPINE | _words(
    "bash bridge conntrack curl dig drill ethtool fping host iperf iperf3 ip6tables ipset iptables iptables-restore "
    "iptables-save ipvsadm jq lsof mtr nft ngrep nmap openssl socat ss ssh strace tc tcpdump tcptraceroute termshark "
    "tshark zsh"
)

DEBIAN_RELEASE = (
    'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian GNU/Linux"\nVERSION_ID="13"\n'
    'VERSION="13 (trixie)"\nVERSION_CODENAME=trixie\nID=debian\n'
)
ALPINE_RELEASE = (
    'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.23.0\nPRETTY_NAME="Alpine Linux v3.23"\n'
    'HOME_URL="https://alpinelinux.org/"\nBUG_REPORT_URL="https://gitlab.alpinelinux.org/alpine/aports/-/issues"\n'
)
UBUNTU_RELEASE = (
    'PRETTY_NAME="Ubuntu 24.04.3 LTS"\nNAME="Ubuntu"\nVERSION_ID="24.04"\n'
    'VERSION="24.04.3 LTS (Noble Numbat)"\nVERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\n'
)
ORACLE_RELEASE = 'NAME="Oracle Linux Server"\nVERSION="9.6"\nID="ol"\nID_LIKE="fedora"\nVERSION_ID="9.6"\n'
PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"


def _os(release: str) -> tuple[tuple[str, str], ...]:
    return (("/etc/os-release", release), ("/etc/passwd", PASSWD))


DEBIAN_FILES = _os(DEBIAN_RELEASE)
ALPINE_FILES = _os(ALPINE_RELEASE)
SUFFIX = r"(-(bookworm|trixie|bullseye))?"

NGINX_PAGE = """\
<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
<style>
html { color-scheme: light dark; }
body { width: 35em; margin: 0 auto;
font-family: Tahoma, Verdana, Arial, sans-serif; }
</style>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>If you see this page, the nginx web server is successfully installed and
working. Further configuration is required.</p>

<p>For online documentation and support please refer to
<a href="http://nginx.org/">nginx.org</a>.<br/>
Commercial support is available at
<a href="http://nginx.com/">nginx.com</a>.</p>

<p><em>Thank you for using nginx.</em></p>
</body>
</html>
"""
NGINX_FILES = (("/usr/share/nginx/html/index.html", NGINX_PAGE),)
HTTPD_PAGE = "<html><body><h1>It works!</h1></body></html>\n"
HTTPD_FILES = (("/usr/local/apache2/htdocs/index.html", HTTPD_PAGE),)

NGINX_START = ("nginx", "-g", "daemon off;")
K8S = "registry.k8s.io"
LIBRARY = "docker.io/library"

IMAGES: tuple[Image, ...] = (
    Image(
        repository=f"{LIBRARY}/nginx", tags=r"(1\.\d+(\.\d+)?-|(main|stable)line?-)?alpine(-slim)?|stable-alpine",
        entrypoint=("/docker-entrypoint.sh",), cmd=NGINX_START, ports=("80/tcp",), version="1.29.3",
        tools=ALPINE | {"nginx", "curl"}, files=ALPINE_FILES + NGINX_FILES, size=79_800_000,
    ),
    Image(
        repository=f"{LIBRARY}/nginx", tags=rf"(latest|stable|mainline|1|1\.\d+(\.\d+)?){SUFFIX}",
        entrypoint=("/docker-entrypoint.sh",), cmd=NGINX_START, ports=("80/tcp",), version="1.29.3",
        tools=DEBIAN | {"nginx", "curl"}, files=DEBIAN_FILES + NGINX_FILES, size=224_000_000,
    ),
    Image(
        repository="docker.io/nginxinc/nginx-unprivileged", tags=r"latest|stable|alpine|1\.\d+(\.\d+)?(-alpine)?",
        entrypoint=("/docker-entrypoint.sh",), cmd=NGINX_START, ports=("8080/tcp",), user="101",
        version="1.29.3", tools=DEBIAN | {"nginx", "curl"}, files=DEBIAN_FILES + NGINX_FILES, size=224_000_000,
    ),
    Image(
        repository=f"{LIBRARY}/httpd", tags=r"(2(\.4(\.\d+)?)?-)?alpine", cmd=("httpd-foreground",), ports=("80/tcp",),
        version="2.4.66", workdir="/usr/local/apache2", tools=ALPINE | {"httpd"}, files=ALPINE_FILES + HTTPD_FILES,
        size=94_500_000,
    ),
    Image(
        repository=f"{LIBRARY}/httpd", tags=rf"(latest|2|2\.4(\.\d+)?){SUFFIX}", cmd=("httpd-foreground",),
        ports=("80/tcp",), version="2.4.66", workdir="/usr/local/apache2", tools=DEBIAN | {"httpd"},
        files=DEBIAN_FILES + HTTPD_FILES, size=175_000_000,
    ),
    Image(
        repository=f"{LIBRARY}/busybox",
        tags=r"latest|stable|musl|glibc|uclibc|1|1\.\d+(\.\d+)?(-(musl|glibc|uclibc))?",
        cmd=("sh",), version="1.37.0", tools=BUSYBOX, files=(("/etc/passwd", PASSWD),), size=6_780_000,
    ),
    Image(
        repository=f"{LIBRARY}/alpine", tags=r"latest|edge|3|3\.\d+(\.\d+)?", cmd=("/bin/sh",), version="3.23.0",
        tools=ALPINE, files=ALPINE_FILES, size=12_800_000,
    ),
    Image(
        repository=f"{LIBRARY}/debian", tags=r"(latest|stable|bookworm|trixie|bullseye|1[1-3](\.\d+)?)(-slim)?",
        cmd=("bash",), version="13", tools=DEBIAN, files=DEBIAN_FILES, size=175_000_000,
    ),
    Image(
        repository=f"{LIBRARY}/ubuntu", tags=r"latest|rolling|noble|jammy|focal|2[0-5]\.(04|10)", cmd=("/bin/bash",),
        version="24.04", tools=DEBIAN | {"ps"}, files=_os(UBUNTU_RELEASE), size=117_000_000,
    ),
    Image(
        repository=f"{LIBRARY}/python", tags=r"(3|3\.\d+(\.\d+)?)-(slim|alpine).*|slim|alpine", cmd=("python3",),
        version="3.14.0", tools=DEBIAN | {"python3", "python"}, files=DEBIAN_FILES, size=178_000_000,
    ),
    Image(
        repository=f"{LIBRARY}/python", tags=rf"(latest|3|3\.\d+(\.\d+)?){SUFFIX}", cmd=("python3",), version="3.14.0",
        tools=DEBIAN | {"python3", "python", "curl", "wget", "ps"}, files=DEBIAN_FILES, size=1_620_000_000,
    ),
    Image(
        repository=f"{LIBRARY}/redis", tags=r"latest|alpine|[5-8](\.\d+){0,2}(-alpine|-bookworm|-trixie)?",
        entrypoint=("docker-entrypoint.sh",), cmd=("redis-server",), ports=("6379/tcp",), workdir="/data",
        version="8.4.0", tools=DEBIAN | {"redis-cli"}, files=DEBIAN_FILES, size=200_000_000,
    ),
    Image(
        repository=f"{LIBRARY}/postgres", tags=r"latest|alpine|1[2-8](\.\d+)?(-alpine|-bookworm|-trixie)?",
        entrypoint=("docker-entrypoint.sh",), cmd=("postgres",), ports=("5432/tcp",), version="18.1",
        tools=DEBIAN | {"psql"}, files=DEBIAN_FILES, size=649_000_000,
    ),
    Image(
        repository=f"{LIBRARY}/mysql", tags=r"latest|lts|innovation|[89]|[89]\.\d+(\.\d+)?",
        entrypoint=("docker-entrypoint.sh",), cmd=("mysqld",), ports=("3306/tcp", "33060/tcp"), version="9.5.0",
        tools=(CORE - {"ps"}) | {"bash", "mysql", "mysqladmin", "curl"}, files=_os(ORACLE_RELEASE), size=1_270_000_000,
    ),
    Image(
        repository=f"{LIBRARY}/memcached", tags=r"latest|alpine|1(\.\d+){0,2}", cmd=("memcached",), user="11211",
        entrypoint=("docker-entrypoint.sh",), ports=("11211/tcp",), version="1.6.39", tools=DEBIAN,
        files=DEBIAN_FILES, size=121_000_000,
    ),
    Image(
        repository=f"{LIBRARY}/registry", tags=r"latest|[23](\.\d+){0,2}", entrypoint=("/entrypoint.sh",),
        cmd=("/etc/distribution/config.yml",), ports=("5000/tcp",), version="3.0.0", tools=ALPINE, files=ALPINE_FILES,
        size=79_100_000,
    ),
    Image(
        repository=f"{LIBRARY}/hello-world", tags=r"latest|linux", cmd=("/hello",), size=25_900,
    ),
    Image(
        repository="docker.io/hashicorp/http-echo", tags=r"latest|alpine|0\.2\.3|1\.0(\.0)?",
        entrypoint=("/http-echo",), ports=("5678/tcp",), user="65532", version="1.0.0", size=13_300_000,
    ),
    Image(
        repository="docker.io/traefik/whoami", tags=r"latest|v1\.\d+(\.\d+)?",
        entrypoint=("/whoami",), ports=("80/tcp",), version="v1.11.0", size=12_000_000,
    ),
    Image(
        repository="docker.io/containous/whoami", tags=r"latest|v1\.5\.0", entrypoint=("/whoami",), ports=("80/tcp",),
        version="v1.5.0", size=11_500_000,
    ),
    Image(
        repository="docker.io/nicolaka/netshoot", tags=r"latest|v0\.\d+", cmd=("zsh",), version="v0.14",
        tools=NETSHOOT, workdir="/root", files=ALPINE_FILES, size=693_000_000,
    ),
    Image(
        repository="docker.io/wbitt/network-multitool",
        tags=r"latest|alpine-minimal|alpine-extra|minimal|extra|openshift|fedora.*", version="latest",
        entrypoint=("/bin/sh", "/docker/entrypoint.sh"), cmd=("/usr/sbin/nginx", "-g", "daemon off;"),
        ports=("80/tcp", "443/tcp", "1180/tcp", "11443/tcp"), tools=NETSHOOT - {"zsh", "termshark"},
        files=(*ALPINE_FILES, ("/usr/share/nginx/html/index.html", "WBITT Network MultiTool (with NGINX)\n")),
        size=95_600_000,
    ),
    Image(
        repository="docker.io/praqma/network-multitool", version="latest", entrypoint=("/docker-entrypoint.sh",),
        cmd=("nginx", "-g", "daemon off;"), ports=("80/tcp", "443/tcp"),
        tools=NETSHOOT - {"zsh", "termshark"}, size=53_400_000,
        files=(*ALPINE_FILES, ("/usr/share/nginx/html/index.html", "Praqma Network MultiTool (with NGINX)\n")),
    ),
    Image(
        repository="docker.io/curlimages/curl", tags=r"latest|[78]\.\d+\.\d+", entrypoint=("/entrypoint.sh",),
        cmd=("curl",), user="curl_user", workdir="/home/curl_user", version="8.17.0", tools=ALPINE | {"curl"},
        files=ALPINE_FILES, size=37_500_000,
    ),
    Image(
        repository="docker.io/radial/busyboxplus", tags=r"latest|curl|base", cmd=("/bin/sh",), tools=BUSYBOX | {"curl"},
        files=(("/etc/passwd", PASSWD),), size=4_230_000,
    ),
    Image(
        repository=f"{K8S}/pause", tags=r"latest|3\.\d+(\.\d+)?", entrypoint=("/pause",), user="65535",
        version="3.10.1", size=736_000,
    ),
    Image(
        repository="docker.io/rancher/mirrored-pause", tags=r"3\.\d+(\.\d+)?", entrypoint=("/pause",), user="65535",
        version="3.6", size=685_000,
    ),
    Image(
        repository="registry.aliyuncs.com/google_containers/pause", tags=r"3\.\d+(\.\d+)?", entrypoint=("/pause",),
        user="65535", version="3.10.1", size=736_000,
    ),
    Image(
        repository=f"{K8S}/e2e-test-images/agnhost", tags=r"2\.\d+(\.\d+)?", entrypoint=("/agnhost",), cmd=("pause",),
        version="2.57", tools=ALPINE | {"curl", "dig", "host"}, files=ALPINE_FILES, size=139_000_000,
    ),
    Image(
        repository=f"{K8S}/e2e-test-images/busybox", tags=r"1\.\d+(\.\d+)?-\d+", cmd=("sh",), tools=BUSYBOX,
        files=(("/etc/passwd", PASSWD),), size=1_460_000,
    ),
    Image(
        repository=f"{K8S}/e2e-test-images/nginx", tags=r"1\.\d+-\d+", entrypoint=("/docker-entrypoint.sh",),
        cmd=NGINX_START, ports=("80/tcp",), tools=ALPINE | {"nginx", "curl"}, version="1.15.12",
        files=ALPINE_FILES + NGINX_FILES, size=16_900_000,
    ),
    Image(
        repository=f"{K8S}/e2e-test-images/jessie-dnsutils", tags=r"1\.\d+", cmd=("sleep", "3600"),
        tools=DEBIAN | {"dig", "nslookup", "host", "nc", "curl"}, files=DEBIAN_FILES, size=112_000_000,
    ),
    Image(
        repository=f"{K8S}/echoserver", tags=r"1\.\d+(\.\d+)?", cmd=("/usr/local/bin/run.sh",),
        ports=("8080/tcp", "8443/tcp"), version="1.10", tools=DEBIAN | {"curl", "nginx"}, files=DEBIAN_FILES,
        size=95_400_000,
    ),
    Image(
        repository=f"{K8S}/coredns/coredns", tags=r"v1\.\d+\.\d+", entrypoint=("/coredns",),
        ports=("53/tcp", "53/udp"), user="nonroot", version="v1.13.1", size=74_000_000,
    ),
    Image(
        repository=f"{K8S}/dns/k8s-dns-node-cache", tags=r"1\.\d+\.\d+", entrypoint=("/node-cache",),
        ports=("53/tcp", "53/udp"), version="1.26.4", size=88_000_000,
    ),
    Image(
        repository="docker.io/coredns/coredns", tags=r"latest|1\.\d+\.\d+", entrypoint=("/coredns",),
        ports=("53/tcp", "53/udp"), user="nonroot", version="1.13.1", size=74_000_000,
    ),
    Image(
        repository=f"{K8S}/kube-proxy", tags=r"v1\.\d+\.\d+", entrypoint=("/usr/local/bin/kube-proxy",),
        version="v1.35.0", size=73_000_000,
        tools=frozenset(["kube-proxy", "iptables", "iptables-save", "iptables-restore", "nft", "ipset", "conntrack"]),
    ),
    Image(
        repository=f"{K8S}/kube-apiserver", tags=r"v1\.\d+\.\d+", entrypoint=("/usr/local/bin/kube-apiserver",),
        version="v1.35.0", size=90_000_000,
    ),
    Image(
        repository=f"{K8S}/kube-controller-manager", tags=r"v1\.\d+\.\d+",
        entrypoint=("/usr/local/bin/kube-controller-manager",), version="v1.35.0", size=76_000_000,
    ),
    Image(
        repository=f"{K8S}/kube-scheduler", tags=r"v1\.\d+\.\d+", entrypoint=("/usr/local/bin/kube-scheduler",),
        version="v1.35.0", size=52_800_000,
    ),
    Image(
        repository=f"{K8S}/etcd", tags=r"3\.\d+\.\d+-\d+", entrypoint=("/usr/local/bin/etcd",),
        ports=("2379/tcp", "2380/tcp", "4001/tcp", "7001/tcp"), version="3.6.6-0", size=62_500_000,
    ),
    Image(
        repository="quay.io/calico/node", tags=r"v3\.\d+\.\d+", cmd=("start_runit",), version="v3.32.1",
        tools=_words("sh bash cat ls ip ipset iptables iptables-restore iptables-save nft calico-node conntrack"),
        size=401_000_000,
    ),
    Image(
        repository="quay.io/calico/cni", tags=r"v3\.\d+\.\d+", cmd=("/opt/cni/bin/install",), version="v3.32.1",
        tools=_words("install calico-ipam"), size=208_000_000,
    ),
    Image(
        repository="quay.io/calico/kube-controllers", tags=r"v3\.\d+\.\d+", entrypoint=("/usr/bin/kube-controllers",),
        tools=_words("check-status"), user="999", version="v3.32.1", size=120_000_000,
    ),
)  # fmt: skip

BY_REPOSITORY: dict[str, tuple[Image, ...]] = {}
for _image in IMAGES:
    BY_REPOSITORY[_image.repository] = (*BY_REPOSITORY.get(_image.repository, ()), _image)
