//! Masking: how fast a log passes with a hundred values, and the most memory that a long one takes.

use std::process::{Command, Stdio};
use std::time::Instant;

use forge_core::masking::Masker;
use forge_tests::world::{World, program};

use super::median;

/// How many values are masked.
const VALUES: usize = 100;

/// Bytes of the log that passes in memory, and how often it does.
const LOG: usize = 32 << 20;
const TIMES: usize = 9;

/// How often the log passes through the program, so that it is 1 GiB.
const LONG: usize = 32;

/// Numbers that are the same in each run (Marsaglia, "Xorshift RNGs").
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// A log as a web service writes it, in which a value stands every now and then.
fn log(values: &[String], random: &mut Random) -> Vec<u8> {
    let mut log = Vec::with_capacity(LOG + 1024);
    let mut line = 0;
    while log.len() < LOG {
        let (id, user, took) = (random.next(), random.next() % 100_000, random.next() % 977);
        let text = format!(
            "2026-01-01T18:{:02}:{:02}.{took:03}Z INFO app::http request={id:016x} method=GET path=/api/users/{user} \
             status=200 took_ms={took} agent=\"Mozilla/5.0 (X11; Linux x86_64)\"\n",
            line / 60 % 60,
            line % 60
        );
        log.extend_from_slice(text.as_bytes());
        if line % 5_000 == 0 {
            log.extend_from_slice(format!("connecting with password={}\n", values[line / 5_000 % VALUES]).as_bytes());
        }
        line += 1;
    }
    log
}

/// Masks a log in memory, then a long one through the program.
pub(super) fn masking() {
    println!("\nmasking {VALUES} values in a log, median of {TIMES}");
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut letter = || char::from(b"abcdefghijklmnopqrstuvwxyzABCDEF"[usize::try_from(random.next() % 32).unwrap()]);
    let values: Vec<String> = (0..VALUES).map(|_| (0..32).map(|_| letter()).collect()).collect();
    let log = log(&values, &mut random);
    let mut masker = Masker::new(values.iter().map(|value| ("a value", value.as_bytes()))).unwrap();
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let begun = Instant::now();
        for read in log.chunks(64 << 10) {
            std::hint::black_box(masker.push(read));
        }
        masker.finish();
        times.push(begun.elapsed());
    }
    println!("  {:<44} {:9.0} MB/s", "in memory", log.len() as f64 / 1e6 / median(times).as_secs_f64());
    let world = World::within("/dev/shm");
    for (at, value) in values.iter().enumerate() {
        world.command(["secret", "set", &format!("bench/{at}")]).input(value.as_str()).run().exits(0);
    }
    for (name, count) in [("the program, 32 MiB", 1), ("the program, 1 GiB", LONG)] {
        through_program(&world, &log, name, count);
    }
}

/// Passes the log through the program so often; Python counts the memory of its only child.
fn through_program(world: &World, log: &[u8], name: &str, count: usize) {
    const MEASURED: &str = "import resource,subprocess,sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)";
    let mut command = Command::new("python3");
    command.args(["-c", MEASURED]).arg(program()).args(["redact", "--from", "bench/**"]);
    command.env_clear().env("PATH", forge_tests::world::variable("PATH").unwrap_or_default()).env("HOME", world.home());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let begun = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for _ in 0..count {
        std::io::Write::write_all(&mut stdin, log).unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let speed = (log.len() * count) as f64 / 1e6 / begun.elapsed().as_secs_f64();
    let memory: f64 = String::from_utf8_lossy(&output.stderr).trim().parse().unwrap();
    println!("  {name:<44} {speed:9.0} MB/s  peak memory {:.1} MiB", memory / 1024.0);
}
