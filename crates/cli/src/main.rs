//! The `diptych` command.
use std::ops::ControlFlow;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).unwrap();
    let run = diptych::train::Run::open(path.as_ref())?;
    let resume = std::env::args().nth(2).is_some();
    let t = std::time::Instant::now();
    let out = diptych::train::train(&run, diptych::Device::flex(), resume, &mut |e| {
        match e {
            diptych::train::Event::Step(p) if p.step % 10 != 0 => {}
            e => eprintln!("{:?} {e:?}", t.elapsed()),
        }
        ControlFlow::Continue(())
    })?;
    eprintln!("{out:?}");
    Ok(())
}
