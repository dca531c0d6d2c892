"""The networks that dockerd makes, held against the kernel: the same rows, every pair compared step by step.

Each lab is built in network namespaces of this machine by `k8snet-tutor real` (unshare; no root needed).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

LAB = """\
hosts:
  - name: box
    addresses: [192.168.10.30/24]
    docker:
      userlandProxy: {proxy}
      networks:
        - {{name: shop, subnet: 10.9.0.0/24}}
        - {{name: dark, internal: true}}
      containers:
        - {{name: web, image: nginx, publish: ["8080:80"]}}
        - {{name: lo, image: nginx, publish: ["127.0.0.1:8081:80"], network: shop}}
        - {{name: client, image: nicolaka/netshoot, command: [sleep, infinity], network: shop}}
        - {{name: d1, image: nginx, network: dark}}
        - {{name: side, image: nicolaka/netshoot, command: [sleep, infinity], network: "container:web"}}
        - {{name: hosty, image: httpd, network: host}}
        - {{name: alone, image: busybox, command: [sleep, infinity], network: none}}
  - {{name: laptop, addresses: [192.168.10.20/24]}}
  - {{name: internet, addresses: [203.0.113.80/24], listen: [80]}}
"""


@pytest.mark.needs("userns", "ip", "iptables", "bridge", "conntrack")
@pytest.mark.parametrize("proxy", ["true", "false"])
def test_the_kernel_does_the_same(proxy: str, tmp_path: Path) -> None:
    lab = tmp_path / "docker.yaml"
    lab.write_text(LAB.format(proxy=proxy))
    done = subprocess.run(
        [sys.executable, "-m", "course", "real", str(lab), "--json"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert not found["rows"]["different"] and not found["flows"]["different"]
    assert found["rows"]["compared"] > 100 and found["flows"]["compared"] > 100
