#!/bin/sh
# Runs the bare-metal programs on outside oracles: Debian 12's QEMU 7.2 and, where it is installed, Spike.
#
# usage: oracle.sh [PROGRAM...]     QEMU=… SPIKE=… name other binaries; OUT= keeps the ELFs there
# Prints a line a program and oracle: PASS or FAIL, and what the oracle is known to lack or to do otherwise.
set -u
here=$(dirname "$(readlink -f "$0")")
out=${OUT:-$(mktemp -d)}
qemu=${QEMU:-qemu-system-riscv64}
qemu_cpu=rv64,priv_spec=v1.12.0,h=off,sscofpmf=on,svinval=on,svnapot=on,svpbmt=on
spike=${SPIKE:-spike}
isa=rv64imafdc_zicsr_zifencei_zicntr_zihpm_zba_zbb_zbc_zbs_zcb_zicond_zicbom_zicboz_zicbop_zihintpause_zawrs_zfa
isa=${isa}_zfh_zacas_zabha_smepmp_sstc_svinval_svnapot_svpbmt_sscofpmf_zicclsm_svadu
programs=${*:-"traps mmu_sv39 mmu_sv48 mmu_sv57 pmp interrupts timer counters atomics extensions selfmod fp
virtio_blk smp smp_code unmapped uart finisher_fail trap_storm trap_storm_nowhere"}
bad=0

compile() { # program, oracle, output
    source=$1.c
    flags=
    case $1 in
    mmu_sv*) source=mmu.c flags=-DSV=${1#mmu_sv} ;;
    trap_storm_nowhere) source=trap_storm.S flags=-DNOWHERE ;;
    esac
    [ -e "$here/$source" ] || source=$1.S
    # shellcheck disable=SC2086
    "$here/compile.sh" "$here/$source" "$3" "-DPROGRAM=\"$1\"" "-DORACLE_$2=1" $flags
}

report() { # oracle, program, exit code, expected, log
    if [ "$3" = "$4" ]; then verdict=PASS; else verdict="FAIL (exit code $3)" bad=1; fi
    printf '%-5s %-14s %s %s\n' "$1" "$2" "$verdict" "$(sed -n 's/^PASS [^:]*: //p' "$5" | tr -d '\r')"
    if [ "$3" = "$4" ]; then grep -aE '^(SKIP|DIFFERS)' "$5"; else tail -n 8 "$5"; fi
}

for program in $programs; do
    expected=0 smp=1 extra= cpu=$qemu_cpu
    case $program in
    finisher_fail) expected=3 ;;
    trap_storm*) expected=124 ;; # it never ends: `timeout` does
    smp | smp_code) smp=4 ;;
    mmu_sv48) cpu=$cpu,svnapot=off,svpbmt=off ;; # with Svnapot, 7.2 takes reserved bits of PTEs
    counters | traps) extra="-icount shift=0" ;;
    virtio_blk)
        "$here/make_disk.sh" "$out/disk.img"
        extra="-global virtio-mmio.force-legacy=false -drive file=$out/disk.img,if=none,format=raw,id=d"
        extra="$extra -device virtio-blk-device,drive=d"
        ;;
    esac
    limit=60
    case $program in trap_storm*) limit=3 ;; esac
    compile "$program" QEMU "$out/$program.qemu" || exit 1
    # shellcheck disable=SC2086
    timeout $limit "$qemu" -M virt,aclint=on -cpu $cpu -m 128M -smp $smp -nographic \
        -bios none -kernel "$out/$program.qemu" $extra </dev/null >"$out/$program.qemu.log" 2>&1
    report QEMU "$program" $? $expected "$out/$program.qemu.log"

    case $program in finisher_fail | virtio_blk) continue ;; esac # Spike has neither finisher nor virtio
    command -v "$spike" >/dev/null || continue
    compile "$program" SPIKE "$out/$program.spike" || exit 1
    timeout $limit "$spike" --isa=$isa -m128 -p$smp "$out/$program.spike" \
        </dev/null >"$out/$program.spike.log" 2>&1
    report Spike "$program" $? $expected "$out/$program.spike.log"
done
[ -n "${OUT:-}" ] || rm -r "$out"
exit $bad
