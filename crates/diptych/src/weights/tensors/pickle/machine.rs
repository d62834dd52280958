//! The stack machine that a pickle is a program for.
//!
//! Source: `Lib/pickletools.py` in CPython 3.13, protocols 0 to 5.
//! Invariant: there are limits on values, on what containers hold, on the stack and on the memo, so
//! a pickle of a few megabytes takes a few tens.

use std::collections::HashMap;

use super::input::Input;
use super::{Id, Node, Pickle};
use crate::weights::tensors::bytes::Place;

/// Values that a pickle may have, and places on its stack and in its memo: ten times what the
/// largest published checkpoints have.
const MAX_NODES: usize = 1 << 18;

/// Values that all containers together may hold.
const MAX_ITEMS: usize = 1 << 20;

/// Bytes of a text that is kept; of a longer one, such as a module's source, only the place is.
const MAX_TEXT: u64 = 16 << 10;

impl Pickle {
    /// Runs the pickle that begins at the input's place, and leaves that behind its end.
    ///
    /// # Errors
    /// In words, with the place of the opcode that can't be followed.
    pub(in crate::weights::tensors) fn read(input: &mut Input<'_>) -> Result<Self, String> {
        let begin = input.at();
        let mut machine = Machine {
            input,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            items: 0,
        };
        loop {
            let at = machine.input.at() - begin;
            match machine.step() {
                Ok(None) => {}
                Ok(Some(root)) => {
                    return Ok(Self {
                        nodes: machine.nodes,
                        root,
                    });
                }
                Err(reason) => return Err(format!("at byte {at} of the pickle: {reason}")),
            }
        }
    }
}

/// A run over one pickle.
struct Machine<'a, 'b> {
    input: &'a mut Input<'b>,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// Heights of the stack where a mark lies.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    /// Values in containers so far.
    items: usize,
}

pub(super) type Step<T = ()> = Result<T, String>;

impl Machine<'_, '_> {
    /// Runs one opcode; the value of the whole, at its end.
    fn step(&mut self) -> Step<Option<Id>> {
        let [opcode] = self.take_array()?;
        match opcode {
            // Protocol and frames say nothing about values.
            0x80 => drop(self.skip(1)?),
            0x95 => drop(self.skip(8)?),
            b'.' => return self.pop().map(Some),

            b'(' => {
                self.check(self.marks.len(), "marks")?;
                self.marks.push(self.stack.len());
            }
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.push_id(top)?;
            }

            b'N' => self.push(Node::None)?,
            0x88 => self.push(Node::Bool(true))?,
            0x89 => self.push(Node::Bool(false))?,
            b'K' => {
                let [value] = self.take_array()?;
                self.push(Node::Int(value.into()))?;
            }
            b'M' => {
                let value = u16::from_le_bytes(self.take_array()?);
                self.push(Node::Int(value.into()))?;
            }
            b'J' => {
                let value = i32::from_le_bytes(self.take_array()?);
                self.push(Node::Int(value.into()))?;
            }
            0x8a => {
                let [len] = self.take_array()?;
                self.long(len.into())?;
            }
            0x8b => {
                let len = u32::from_le_bytes(self.take_array()?);
                self.long(len.into())?;
            }
            b'G' => {
                let value = f64::from_be_bytes(self.take_array()?);
                self.push(Node::Float(value))?;
            }
            b'I' | b'L' | b'F' => {
                let (line, _) = self.input.line()?;
                self.push(number(opcode, &line))?;
            }

            // The first two are Python 2's texts, which are bytes if they are no text.
            b'T' | b'U' | b'X' | 0x8c | 0x8d => self.text(opcode)?,
            b'B' | b'C' | 0x8e | 0x96 => {
                let len = self.length(opcode)?;
                let place = self.skip(len)?;
                self.push(Node::Bytes(place))?;
            }
            b'V' => {
                let (text, place) = self.input.line()?;
                self.push(Node::Text { text, place })?;
            }
            b'S' => {
                let (line, place) = self.input.line()?;
                let text = line.trim_matches(['\'', '"']).to_owned();
                self.push(Node::Text { text, place })?;
            }
            0x97 => self.push(Node::Other("a buffer that is kept outside of the file"))?,
            0x98 => drop(self.top()?),

            b')' | b']' | 0x8f => self.push(Node::List(Vec::new()))?,
            b't' | b'l' | 0x91 => {
                let items = self.pop_to_mark()?;
                self.push(Node::List(items))?;
            }
            0x85..=0x87 => {
                let items = self.pop_many(usize::from(opcode - 0x84))?;
                self.push(Node::List(items))?;
            }
            b'a' => {
                let items = self.pop_many(1)?;
                self.append(items)?;
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            b'}' => self.push(Node::Dict(Vec::new()))?,
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Dict(pairs(items)?))?;
            }
            b's' => {
                let items = self.pop_many(2)?;
                self.set(items)?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set(items)?;
            }

            b'c' => {
                let global = self.global()?;
                self.push_id(global)?;
            }
            0x93 => {
                let [name, module] = [self.pop()?, self.pop()?];
                self.push(Node::Global(module, name))?;
            }
            b'R' | 0x81 => {
                let [arguments, callee] = [self.pop()?, self.pop()?];
                self.call(callee, arguments)?;
            }
            0x92 => {
                let [_named, arguments, callee] = [self.pop()?, self.pop()?, self.pop()?];
                self.call(callee, arguments)?;
            }
            b'o' => {
                let mut items = self.pop_to_mark()?;
                if items.is_empty() {
                    return Err("an object without a class".into());
                }
                let callee = items.remove(0);
                let arguments = self.add(Node::List(items))?;
                self.call(callee, arguments)?;
            }
            b'i' => {
                let callee = self.global()?;
                let arguments = self.pop_to_mark()?;
                let arguments = self.add(Node::List(arguments))?;
                self.call(callee, arguments)?;
            }
            b'b' => {
                let given = self.pop()?;
                let object = self.top()?;
                // State given to what is no call changes nothing that we look at.
                if let Node::Call { state, .. } = &mut self.nodes[object] {
                    *state = Some(given);
                }
            }
            b'P' => {
                let (text, place) = self.input.line()?;
                let name = self.add(Node::Text { text, place })?;
                self.push(Node::Persistent(name))?;
            }
            b'Q' => {
                let name = self.pop()?;
                self.push(Node::Persistent(name))?;
            }

            b'p' | b'q' | b'r' => {
                let place = self.place(opcode)?;
                self.remember(place)?;
            }
            0x94 => self.remember(self.memo.len() as u64)?,
            b'g' | b'h' | b'j' => {
                let place = self.place(opcode)?;
                self.recall(place)?;
            }
            other => return Err(format!("opcode {other:#04x} is unknown")),
        }
        Ok(None)
    }

    fn take_array<const N: usize>(&mut self) -> Step<[u8; N]> {
        self.input.take_array()
    }

    fn skip(&mut self, len: u64) -> Step<Place> {
        self.input.skip(len)
    }

    /// Pushes the text that follows an opcode.
    fn text(&mut self, opcode: u8) -> Step {
        let len = self.length(opcode)?;
        let offset = self.input.at();
        let place = Place { offset, len };
        if len > MAX_TEXT {
            self.skip(len)?;
            return self.push(Node::Bytes(place));
        }
        let text = std::str::from_utf8(self.input.take(len)?).map(str::to_owned);
        self.push(text.map_or(Node::Bytes(place), |text| Node::Text { text, place }))
    }

    /// The length of the text or bytes that follow an opcode.
    fn length(&mut self, opcode: u8) -> Step<u64> {
        Ok(match opcode {
            0x8c | b'U' | b'C' => self.take_array::<1>()?[0].into(),
            0x8d | 0x8e | 0x96 => u64::from_le_bytes(self.take_array()?),
            _ => u32::from_le_bytes(self.take_array()?).into(),
        })
    }

    /// The place in the memo that follows an opcode: a line, a byte or four.
    fn place(&mut self, opcode: u8) -> Step<u64> {
        Ok(match opcode {
            b'p' | b'g' => {
                let place = self.input.line()?.0.parse();
                place.map_err(|_| "a place in the memo that is no number")?
            }
            b'q' | b'h' => self.take_array::<1>()?[0].into(),
            _ => u32::from_le_bytes(self.take_array()?).into(),
        })
    }

    fn add(&mut self, node: Node) -> Step<Id> {
        self.check(self.nodes.len(), "values")?;
        self.nodes.push(node);
        Ok(self.nodes.len() - 1)
    }

    fn push(&mut self, node: Node) -> Step {
        let id = self.add(node)?;
        self.push_id(id)
    }

    fn push_id(&mut self, id: Id) -> Step {
        self.check(self.stack.len(), "values on its stack")?;
        self.stack.push(id);
        Ok(())
    }

    fn check(&self, count: usize, what: &str) -> Step {
        if count < MAX_NODES {
            Ok(())
        } else {
            Err(format!("it has more than {MAX_NODES} {what}"))
        }
    }

    /// A module and a name in it, a line each.
    fn global(&mut self) -> Step<Id> {
        let mut line = || -> Step<Id> {
            let (text, place) = self.input.line()?;
            self.add(Node::Text { text, place })
        };
        let [module, name] = [line()?, line()?];
        self.add(Node::Global(module, name))
    }

    /// Number of values above the last mark, which are those that may be popped.
    fn height(&self) -> usize {
        self.stack.len() - self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Step<Id> {
        match self.height() {
            0 => Err("the stack is empty".into()),
            _ => Ok(self.stack[self.stack.len() - 1]),
        }
    }

    fn pop(&mut self) -> Step<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// Pops `count` values, which are counted as values of one container.
    fn pop_many(&mut self, count: usize) -> Step<Vec<Id>> {
        if self.height() >= count {
            self.pop_from(self.stack.len() - count)
        } else {
            Err("the stack is empty".into())
        }
    }

    fn pop_to_mark(&mut self) -> Step<Vec<Id>> {
        let mark = self.marks.pop().ok_or("there is no mark on the stack")?;
        self.pop_from(mark)
    }

    fn pop_from(&mut self, height: usize) -> Step<Vec<Id>> {
        let items = self.stack.split_off(height);
        self.items += items.len();
        if self.items <= MAX_ITEMS {
            Ok(items)
        } else {
            Err(format!("its containers hold more than {MAX_ITEMS} values"))
        }
    }

    /// Pushes a little-endian integer of `len` bytes.
    fn long(&mut self, len: u64) -> Step {
        if len > 8 {
            self.skip(len)?;
            return self.push(Node::Other("an integer of more than 64 bits"));
        }
        let bytes = self.input.take(len)?;
        let is_negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let mut word = [if is_negative { 0xff } else { 0 }; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        self.push(Node::Int(i64::from_le_bytes(word)))
    }

    /// Appends to the list on top.
    fn append(&mut self, mut items: Vec<Id>) -> Step {
        let list = self.top()?;
        match &mut self.nodes[list] {
            Node::List(list) => list.append(&mut items),
            Node::Call { .. } => {}
            _ => return Err("something is appended to what is no list".into()),
        }
        Ok(())
    }

    /// Sets entries of the dictionary on top.
    fn set(&mut self, items: Vec<Id>) -> Step {
        let mut new = pairs(items)?;
        let dict = self.top()?;
        match &mut self.nodes[dict] {
            Node::Dict(entries) | Node::Call { entries, .. } => entries.append(&mut new),
            _ => return Err("an entry is set on what is no dictionary".into()),
        }
        Ok(())
    }

    fn call(&mut self, callee: Id, arguments: Id) -> Step {
        self.push(Node::Call {
            callee,
            arguments,
            state: None,
            entries: Vec::new(),
        })
    }

    fn remember(&mut self, place: u64) -> Step {
        self.check(self.memo.len(), "values in its memo")?;
        let top = self.top()?;
        self.memo.insert(place, top);
        Ok(())
    }

    fn recall(&mut self, place: u64) -> Step {
        let id = self.memo.get(&place);
        let id = *id.ok_or_else(|| format!("nothing was remembered as {place}"))?;
        self.push_id(id)
    }
}

/// Keys and values that lie in turn.
fn pairs(items: Vec<Id>) -> Step<Vec<(Id, Id)>> {
    match items.as_chunks() {
        (pairs, []) => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
        _ => Err("a key without a value".into()),
    }
}

/// A number that is written in digits; protocol 0 has `01` for true.
fn number(opcode: u8, line: &str) -> Node {
    let digits = line.strip_suffix('L').unwrap_or(line);
    match (opcode, digits) {
        (b'I', "00") => Node::Bool(false),
        (b'I', "01") => Node::Bool(true),
        (b'F', _) => digits.parse().map_or(Node::Other("no number"), Node::Float),
        _ => digits.parse().map_or(Node::Other("no number"), Node::Int),
    }
}
