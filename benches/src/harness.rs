//! Measures one operation. Only what runs inside [`Meter::measure`] counts; what an operation needs
//! before and behind it does not.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::cpu;
use crate::heap::{self, Heap};

/// One row of the table.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The row before it that it is compared with.
    pub(crate) of: Option<&'static str>,
    /// Operations in one iteration; the figures are for one of them.
    pub(crate) operations: u32,
    /// Makes what it works on; files go into the folder.
    pub(crate) make: fn(&Path) -> Operation,
}

/// Runs that many iterations.
pub(crate) type Operation = Box<dyn FnMut(&mut Meter, u64)>;

/// Nanoseconds of one operation, and the heap of one iteration.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    /// Of the fastest batch: the machine's other work disturbs it least.
    pub(crate) min: f64,
    pub(crate) median: f64,
    /// Processor time of all threads, of the batch that took least. What waits, for a disk or for a
    /// server, is not in it.
    pub(crate) cpu: f64,
    /// Of one iteration that came behind many others.
    pub(crate) heap: Heap,
}

/// Adds up the time of what is measured.
#[derive(Default)]
pub(crate) struct Meter {
    measured: Duration,
    cpu: Duration,
    /// Counts the heap instead.
    heap: Option<Heap>,
}

impl Meter {
    pub(crate) fn measure<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let mut work = Some(work);
        let mut result = None;
        let mut work = || {
            if let Some(work) = work.take() {
                result = Some(black_box(work()));
            }
        };
        match &mut self.heap {
            None => measured(self, &mut work),
            Some(heap) => heap.add(heap::count(work)),
        }
        result.unwrap()
    }
}

/// The one function whose instructions callgrind counts.
#[inline(never)]
#[expect(
    clippy::disallowed_methods,
    reason = "measuring is what this program does"
)]
pub(crate) fn measured(meter: &mut Meter, work: &mut dyn FnMut()) {
    let (start, cpu) = (Instant::now(), cpu::time());
    work();
    meter.cpu += cpu::time() - cpu;
    meter.measured += start.elapsed();
}

/// An operation that needs nothing before it.
pub(crate) fn repeated<R>(mut work: impl FnMut() -> R + 'static) -> Operation {
    Box::new(move |meter, iterations| {
        meter.measure(|| {
            for _ in 0..iterations {
                black_box(work());
            }
        });
    })
}

/// An operation that measures a part of each iteration by itself.
pub(crate) fn each(mut work: impl FnMut(&mut Meter) + 'static) -> Operation {
    Box::new(move |meter, iterations| (0..iterations).for_each(|_| work(meter)))
}

/// Runs a case once, with that many iterations.
pub(crate) fn run(case: &Case, folder: &Path, iterations: u64) {
    (case.make)(folder)(&mut Meter::default(), iterations);
}

const BATCHES: usize = 25;
/// Of a row whose iteration takes longer than [`SLOW`].
const FEW_BATCHES: usize = 5;
const BATCH: Duration = Duration::from_millis(15);
const SLOW: Duration = Duration::from_millis(400);

/// Times a case: batches of about [`BATCH`], each of the same number of iterations.
pub(crate) fn time(case: &Case, folder: &Path) -> Figures {
    let mut operation = (case.make)(folder);
    let mut batch = |iterations: u64| {
        let mut meter = Meter::default();
        operation(&mut meter, iterations);
        (meter.measured, meter.cpu)
    };
    let mut iterations = 1;
    let batches = loop {
        match batch(iterations).0 {
            took if took >= SLOW => break FEW_BATCHES,
            took if took >= BATCH / 2 => break BATCHES,
            _ => iterations *= 2,
        }
    };
    let each = |time: Duration| {
        time.as_secs_f64() * 1e9 / (iterations as f64 * f64::from(case.operations))
    };
    let (mut times, mut cpu): (Vec<f64>, Vec<f64>) = (0..batches)
        .map(|_| batch(iterations))
        .map(|(time, cpu)| (each(time), each(cpu)))
        .unzip();
    times.sort_by(f64::total_cmp);
    cpu.sort_by(f64::total_cmp);
    let mut meter = Meter {
        heap: Some(Heap::default()),
        ..Meter::default()
    };
    operation(&mut meter, 1);
    Figures {
        min: times[0],
        median: times[batches / 2],
        cpu: cpu[0],
        heap: meter.heap.unwrap_or_default(),
    }
}
