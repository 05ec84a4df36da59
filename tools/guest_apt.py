"""A private apt: Debian's packages by name, for any architecture, without root or the machine's own apt."""
import hashlib
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
GUESTS = ROOT / "build" / "guests"
DEBS = GUESTS / "apt" / "debs"
SUITE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Failure(Exception):
    """Something a person can act on; the text says what and how."""


def say(text):
    print(f"guest: {text}", flush=True)


def need_tools(*tools):
    for tool in tools:
        if not shutil.which(tool):
            raise Failure(f"{tool} is missing: guests are made on Debian or a relative of it")


def host_architecture():
    """As dpkg names it (amd64, arm64...)."""
    need_tools("dpkg")
    return subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class Apt:
    """A private apt for one architecture of the suite, on the mirror that this machine already uses."""

    def __init__(self, mirror, architecture):
        need_tools("apt-get", "apt-cache", "dpkg-deb")
        home = GUESTS / "apt" / architecture
        for folder in ("lists/partial", "cache/archives/partial"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        DEBS.mkdir(exist_ok=True)
        (home / "status").write_text("")
        mirror, keyring = self._mirror(mirror)
        (home / "sources.list").write_text(
            f"deb [arch={architecture} signed-by={keyring}] {mirror} {SUITE} main\n")
        (home / "apt.conf").write_text(f"""
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State "{home}"; Dir::State::Lists "{home}/lists"; Dir::State::status "{home}/status";
Dir::Cache "{home}/cache"; Dir::Etc::sourcelist "{home}/sources.list"; Dir::Etc::sourceparts "-";
APT::Architecture "{architecture}"; APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "root"; APT::Update::Error-Mode "any"; APT::Get::Show-Versions "false";
Acquire::Languages "none"; Acquire::Retries "3"; Acquire::http::Timeout "60";
""")
        self._home, self._architecture = home, architecture
        self._updated = False

    @staticmethod
    def _mirror(given):
        if not pathlib.Path(KEYRING).exists():
            raise Failure(f"{KEYRING} is missing: install the package debian-archive-keyring")
        if given:
            return given, KEYRING
        form = "\t".join(f"$({f})" for f in ("COMPONENT", "LABEL", "RELEASE", "REPO_URI", "SIGNED_BY"))
        rows = subprocess.run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"],
                              capture_output=True, text=True).stdout.splitlines()
        for row in (r.split("\t") for r in rows):
            if len(row) == 5 and row[0] == "main" and row[1] in ("Debian", "$(LABEL)") and "-" not in row[2]:
                return row[3], row[4] if pathlib.Path(row[4]).is_file() else KEYRING
        raise Failure("apt's configuration names no Debian mirror: give one with --mirror URI")

    def _run(self, tool, *arguments, show=False, cwd=None):
        command = [tool, f"-c={self._home / 'apt.conf'}", *([] if show and sys.stdout.isatty() else ["-q"])]
        done = subprocess.run([*command, *arguments], cwd=cwd, text=True, stdin=subprocess.DEVNULL,
                              stdout=None if show else subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode:
            reason = " / ".join(line for line in done.stderr.splitlines() if line.startswith(("E:", "W:")))
            raise Failure(f"{tool} {' '.join(arguments)} failed: {reason or done.stderr.strip()}\n"
                          "Check the network and `apt-get update`, then run this again (it goes on where it "
                          "stopped); --mirror URI tries another mirror.")
        return done.stdout

    def _update(self):
        if not self._updated:
            say(f"asking apt for {SUITE}'s {self._architecture} packages")
            self._run("apt-get", "update", show=True)
            self._updated = True

    def show(self, package):
        """The newest version's fields: Package, Version, SHA256, Size, Depends..."""
        self._update()
        try:
            text = self._run("apt-cache", "show", "--no-all-versions", package)
        except Failure:
            raise Failure(f"{SUITE} has no package {package} for {self._architecture}, or no longer: "
                          "--refresh asks for the newest") from None
        return dict(re.findall(r"^([\w-]+): (.*)$", text, re.M))

    def closure(self, wanted):
        """Names of what has to be installed for some packages to work where nothing is installed, in an order to
        unpack them. `wanted` may hold apt's patterns."""
        self._update()
        text = self._run("apt-get", "--simulate", "--no-install-recommends", "install", *wanted)
        return re.findall(r"^Inst (\S+) ", text, re.M)

    def fetch(self, *packages):
        """Download the newest versions; the entries for the manifest."""
        self._update()
        text = self._run("apt-cache", "show", "--no-all-versions", *packages)
        found = [dict(re.findall(r"^([\w-]+): (.*)$", stanza, re.M)) for stanza in text.split("\n\n") if stanza.strip()]
        targets = {self._target(f): f for f in found}
        missing = {t: f for t, f in targets.items() if not t.exists() or sha256(t) != f["SHA256"]}
        if missing:
            self._download(missing)
        return [{"name": f["Package"], "version": f["Version"], "sha256": f["SHA256"], "file": t.name}
                for t, f in targets.items()]

    def _target(self, fields):
        return DEBS / f"{fields['Package']}_{fields['Version'].replace(':', '%3a')}_{self._architecture}.deb"

    def _download(self, missing):
        size = sum(int(f["Size"]) for f in missing.values()) / 1e6
        what = [f"{f['Package']} {f['Version']}" for f in missing.values()]
        say(f"fetching {what[0] if len(what) == 1 else f'{len(what)} packages'} ({size:.1f} MB)")
        partial = self._home / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        self._run("apt-get", "download", *(f"{f['Package']}={f['Version']}" for f in missing.values()), show=True,
                  cwd=partial)
        fetched = {sha256(deb): deb for deb in partial.glob("*.deb")}
        for target, fields in missing.items():
            if fields["SHA256"] not in fetched:
                raise Failure(f"what apt fetched for {target.name} does not have the checksum that its index promises: "
                              "run this again")
            fetched[fields["SHA256"]].replace(target)
        partial.rmdir()


class Packages:
    """What a recipe takes from apt. Packages fetched once are used again (a changed recipe needs no network):
    `kept` holds the entries of an earlier manifest, `used` becomes those of the next."""

    def __init__(self, kept, mirror, architecture):
        self._kept, self._mirror, self._architecture = {p["asked"]: p for p in kept}, mirror, architecture
        self._apt, self.used = None, {}

    def _ask(self):
        self._apt = self._apt or Apt(self._mirror, self._architecture)
        return self._apt

    def _note(self, asked, entry):
        self.used[asked] = {"asked": asked, **entry}
        return self.used[asked]

    def _lies_there(self, entry):
        deb = DEBS / (entry or {}).get("file", "-")
        return deb.is_file() and sha256(deb) == entry["sha256"]

    def __call__(self, package):
        """The path of one package."""
        return self.all([package])[0]

    def all(self, packages):
        """The paths of many packages."""
        missing = [p for p in packages if not self._lies_there(self._kept.get(p))]
        fetched = {e["name"]: e for e in self._ask().fetch(*missing)} if missing else {}
        entries = [self._note(p, fetched[p] if p in fetched else self._kept[p]) for p in packages]
        return [DEBS / e["file"] for e in entries]

    def field(self, package, name):
        """A field of a package, Depends for instance."""
        entry = self._kept.get(package) or {"name": package, name: self._ask().show(package)[name]}
        return self._note(package, entry)[name]

    def closure(self, wanted):
        """The paths of packages and of all that they depend on, in an order to unpack them."""
        asked = " ".join(wanted)
        entry = self._kept.get(asked) or {"names": self._ask().closure(wanted)}
        return self.all(self._note(asked, entry)["names"])
