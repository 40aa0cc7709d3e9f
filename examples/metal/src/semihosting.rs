//! What QEMU does for a program in it: arguments, randomness, an exit status. A real board has other sources of these.

use core::cell::Cell;

use cortex_m_semihosting::{debug, nr, syscall};

/// The words that the program was started with.
pub fn arguments(buf: &mut [u8; 128]) -> &str {
    // The host writes the length into it.
    let block = [buf.as_mut_ptr().addr(), buf.len()].map(Cell::new);
    // SAFETY: the block is what this call wants.
    if unsafe { syscall(nr::GET_CMDLINE, &block) } != 0 {
        return "";
    }
    let len = block[1].get().min(buf.len());
    core::str::from_utf8(&buf[..len]).unwrap_or_default().trim_end_matches('\0')
}

/// Fills `out` with the host's randomness. There is no constant to fall back to: without randomness there is no program.
pub fn random(out: &mut [u8]) {
    let name = c"/dev/urandom";
    // SAFETY: the blocks are what these calls want; 1 is binary reading.
    let left = unsafe {
        let file = syscall(nr::OPEN, &[name.as_ptr().addr(), 1, name.count_bytes()]);
        syscall(nr::READ, &[file, out.as_mut_ptr().addr(), out.len()])
    };
    assert!(left == 0, "the host gives no randomness");
}

/// What QEMU's own input says, line by line.
#[cfg(feature = "hostile")]
pub struct Input(usize);

#[cfg(feature = "hostile")]
impl Input {
    /// From its beginning.
    pub fn new() -> Input {
        let name = c"/dev/stdin";
        // SAFETY: the block is what this call wants.
        Input(unsafe { syscall(nr::OPEN, &[name.as_ptr().addr(), 0, name.count_bytes()]) })
    }

    /// The next line, as far as there is room for it; the device stands still until it has come. At the end it is empty.
    pub fn line<'a>(&self, buf: &'a mut [u8]) -> &'a str {
        let mut len = 0;
        let byte = Cell::new(0_u8);
        // SAFETY: as in `new`; it answers how many bytes are missing.
        while unsafe { syscall(nr::READ, &[self.0, byte.as_ptr().addr(), 1]) } == 0 && byte.get() != b'\n' {
            if let Some(place) = buf.get_mut(len) {
                *place = byte.get();
                len += 1;
            }
        }
        core::str::from_utf8(&buf[..len]).unwrap_or_default()
    }
}

/// Ends QEMU.
pub fn exit(well: bool) -> ! {
    debug::exit(if well { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}
