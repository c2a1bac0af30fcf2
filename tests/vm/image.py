#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes what the guests boot: Debian's kernel and an initramfs of busybox and a few modules.

    image.py FOLDER      FOLDER/vmlinux and FOLDER/initrd.cpio, unless both are there and fresh

Neither holds any program of ours: the guest's / is this machine's, by 9p.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = "linux-image-amd64"  # not the cloud flavour, which has no 9p
MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay",
           "uio_pci_generic", "vfio-pci", "vfio_iommu_type1", "virtio_net")
DECOMPRESSORS = {b"\xfd7zXZ": "xz", b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd",
                 b"\x02\x21\x4c\x18": "lz4"}


def run(*argv, **keywords):
    return subprocess.run([str(a) for a in argv], check=True, **keywords)


def newest_kernel():
    """Name of the package that PACKAGE stands for, or None."""
    listed = subprocess.run(["apt-cache", "depends", PACKAGE], capture_output=True, text=True).stdout
    found = re.search(r"Depends: (linux-image-\S+)", listed)
    return found and found[1]


def download_kernel(folder):
    """@return whether it is there: the lists may be missing, as in a fresh container, or name a
    version that the mirrors have no more."""
    package = newest_kernel()
    if package is None:
        return False
    return subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package],
                          cwd=folder).returncode == 0


def fetch_kernel(folder):
    """Downloads the kernel's package, without installing it, and unpacks it into `folder`."""
    if not download_kernel(folder):
        run("apt-get", "-q", "update")
        if not download_kernel(folder):
            sys.exit(f"image: cannot download the kernel that {PACKAGE} depends on; is this Debian?")
    deb = next(folder.glob("*.deb"))
    run("dpkg-deb", "-x", deb, folder)
    deb.unlink()


def unpack_kernel(bz_image, out):
    """Takes the ELF file out of a bzImage: QEMU enters it by its PVH note, so that no decompressor
    runs under emulation. The fields are those of the kernel's Documentation/x86/boot.rst."""
    image = bz_image.read_bytes()
    setup_sectors = image[0x1f1]
    offset = int.from_bytes(image[0x248:0x24c], "little")
    length = int.from_bytes(image[0x24c:0x250], "little")
    begin = (setup_sectors + 1) * 512 + offset
    payload = image[begin:begin + length]
    tool = next((t for magic, t in DECOMPRESSORS.items() if payload.startswith(magic)), None)
    if tool is None:
        sys.exit(f"image: {bz_image} is compressed in a way that is not known here")
    # The payload ends in four bytes of its own, of which the tools complain: no check=True.
    elf = subprocess.run([tool, "-dc"], input=payload, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL).stdout
    if elf[:4] != b"\x7fELF":
        sys.exit(f"image: {bz_image} holds no ELF file")
    out.write_bytes(elf)


def modules_with_dependencies(tree, version):
    """Paths below lib/modules/VERSION of the modules wanted and of those they need."""
    listed = run("busybox", "depmod", "-n", "-b", tree, version, stdout=subprocess.PIPE,
                 stderr=subprocess.DEVNULL, text=True).stdout
    needs = {}
    for line in listed.splitlines():
        path, colon, others = line.partition(":")
        if colon and ".ko" in path:
            needs[path] = others.split()
    builtin = (tree / "lib/modules" / version / "modules.builtin").read_text()
    chosen = set()
    for name in MODULES:
        pattern = re.compile(rf"(^|/){re.sub('[-_]', '[-_]', name)}\.ko", re.MULTILINE)
        path = next((p for p in needs if pattern.search(p)), None)
        if path is not None:
            chosen |= {path, *needs[path]}
        elif not pattern.search(builtin):
            sys.exit(f"image: this kernel has no module {name}")
    return chosen


def make_initramfs(tree, out):
    version = next((tree / "lib/modules").iterdir()).name
    with tempfile.TemporaryDirectory(dir=out.parent) as name:
        root = pathlib.Path(name)
        modules = root / "lib/modules" / version
        for folder in ("bin", "proc", "sys", "dev", "tmp"):
            (root / folder).mkdir()
        modules.mkdir(parents=True)
        source = tree / "lib/modules" / version
        for path in modules_with_dependencies(tree, version):
            (modules / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / path, modules / path)
        for index in ("modules.builtin", "modules.order"):
            shutil.copy(source / index, modules)
        run("busybox", "depmod", "-b", root, version)
        shutil.copy(shutil.which("busybox"), root / "bin/busybox")
        shutil.copy(HERE / "init.sh", root / "init")
        (root / "init").chmod(0o755)
        files = "\n".join(sorted(str(p.relative_to(root)) for p in root.rglob("*")))
        with out.open("wb") as archive:
            run("cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet", cwd=root, stdout=archive,
                input=files.encode())


def is_fresh(folder):
    made = [folder / "vmlinux", folder / "initrd.cpio"]
    sources = [HERE / "init.sh", pathlib.Path(__file__)]
    return all(f.exists() for f in made) and \
        max(f.stat().st_mtime for f in sources) < min(f.stat().st_mtime for f in made)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1]).resolve()
    if is_fresh(folder):
        return
    folder.mkdir(parents=True, exist_ok=True)
    tree = folder / "kernel"
    if not tree.is_dir():
        half = folder / "kernel.new"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir()
        fetch_kernel(half)
        half.rename(tree)
    unpack_kernel(next(tree.glob("boot/vmlinuz-*")), folder / "vmlinux.new")
    make_initramfs(tree, folder / "initrd.new")
    # Both at last, so that an interrupted run leaves nothing that looks finished.
    os.replace(folder / "vmlinux.new", folder / "vmlinux")
    os.replace(folder / "initrd.new", folder / "initrd.cpio")


if __name__ == "__main__":
    main()
