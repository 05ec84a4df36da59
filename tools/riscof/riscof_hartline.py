"""Hartline as a device under test for RISCOF, the framework of riscv-arch-test. README.md beside this file says how.

Keys of the section [hartline] in config.ini, besides pluginpath, ispec and pspec:
  PATH        folder of the program hartline; not given: found as a shell would
  compiler    the compiler to build tests with (riscv64-unknown-elf-gcc)
  jobs        tests at a time (as many as the host has cores)
  timeout     seconds for each test (60)
  target_run  0: only build the tests
"""
import concurrent.futures
import logging
import os
import re
import shutil
import subprocess

from riscof.pluginTemplate import pluginTemplate

logger = logging.getLogger()


class hartline(pluginTemplate):
    __model__ = "hartline"
    __version__ = "1"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        config = kwargs.get("config")
        if config is None:
            raise SystemExit("riscof_hartline: config.ini has no section [hartline]: see README.md beside this file")
        here = os.path.dirname(os.path.abspath(__file__))
        base = kwargs.get("config_dir") or os.getcwd()
        place = lambda key, default: os.path.join(base, config[key]) if key in config else os.path.join(here, default)
        self.isa_spec = os.path.abspath(place("ispec", "hartline_isa.yaml"))
        self.platform_spec = os.path.abspath(place("pspec", "hartline_platform.yaml"))
        self.env = os.path.join(here, "env")
        self.program = os.path.join(base, config["PATH"], "hartline") if "PATH" in config else "hartline"
        self.compiler = config.get("compiler", "riscv64-unknown-elf-gcc")
        self.jobs = int(config.get("jobs", os.cpu_count() or 1))
        self.timeout = config.get("timeout", "60")
        self.target_run = config.get("target_run", "1") != "0"

    def initialise(self, suite, work_dir, archtest_env):
        self.includes = ["-I", self.env, "-I", archtest_env]

    def build(self, isa_yaml, platform_yaml):
        for needed in [self.compiler] + ([self.program] if self.target_run else []):
            if shutil.which(needed) is None:
                raise SystemExit(f"riscof_hartline: {needed} is not there: install it, or set PATH or compiler in "
                                 "config.ini")

    def runTests(self, testlist):
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            for name, complaint in zip(testlist, pool.map(self.one, testlist.values())):
                if complaint:
                    logger.error(f"{name}: {complaint}")
        if not self.target_run:
            raise SystemExit(0)

    def one(self, test):
        """Builds a test and has Hartline write its signature; the complaint, if there is one."""
        folder = test["work_dir"]
        elf = os.path.join(folder, "hartline.elf")
        signature = os.path.join(folder, self.name[:-1] + ".signature")
        complaint = self.call(self.compile_command(test, elf), folder, "build.log")
        if complaint is None and self.target_run:
            complaint = self.call(self.run_command(elf, signature), folder, "run.log")
        if self.target_run and not os.path.exists(signature):
            open(signature, "w").close()    # differs from every reference, so that the others go on
        return complaint

    def compile_command(self, test, elf):
        return [self.compiler, "-march=" + march(test["isa"]), "-mabi=lp64", "-mcmodel=medany", "-static", "-nostdlib",
                "-nostartfiles", "-T", os.path.join(self.env, "link.ld"), *self.includes,
                *("-D" + macro for macro in test["macros"]), test["test_path"], "-o", elf]

    def run_command(self, elf, signature):
        return [self.program, "test", elf, "--signature", signature, "--signature-granularity", "4",
                "--timeout", self.timeout]

    def call(self, command, folder, log):
        path = os.path.join(folder, log)
        with open(path, "w") as out:
            code = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out).returncode
        return f"{os.path.basename(command[0])} ended with {code}: see {path}" if code else None


def march(isa):
    """RV64IMZicsr_Zba as the compiler wants it: rv64im_zicsr_zba. Every test's trap handler reads CSRs."""
    base, *longer = re.findall(r"^RV\d+[A-Y]+|[ZSX][a-z0-9]+", isa)
    return "_".join([base.lower(), *dict.fromkeys(name.lower() for name in longer + ["Zicsr"])])
