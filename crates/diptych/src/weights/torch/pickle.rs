//! Pickles, read without ever calling anything.
//!
//! A pickle is a program for a stack machine. This runs it over values alone: strings, numbers and
//! containers are built; what Python would import becomes a [`Node::Global`], what it would call an
//! [`Node::Call`] that remembers callee and arguments. `torch` then recognises the few that stand for
//! tensors; the others stay what they are, and harm nobody.
//!
//! Source: `Lib/pickletools.py` in CPython 3.13, protocols 0 to 5.
//! Invariant: values live in one arena and name each other by place, so cycles are harmless; and there
//! are limits on values, on what containers hold, on the stack and on the memo, so a pickle of a few
//! megabytes takes a few tens.

use std::collections::HashMap;

/// A value's place in its [`Pickle`].
pub(super) type Id = usize;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Int(i64),
    Text(String),
    /// Another value, which no tensor depends on.
    Other,
    /// Tuples, lists and sets.
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A name that Python would import: its module and itself, two texts.
    Global(Id, Id),
    /// What Python would get by calling something; then its state, and entries set on it.
    Call {
        callee: Id,
        /// A list.
        arguments: Id,
        state: Option<Id>,
        entries: Vec<(Id, Id)>,
    },
    /// What the file's writer keeps elsewhere, by the name it gave.
    Persistent(Id),
}

/// A pickle's values.
pub(super) struct Pickle {
    nodes: Vec<Node>,
    root: Id,
}

/// Values that a pickle may have, and places on its stack and in its memo: ten times what the largest
/// published checkpoints have.
const MAX_NODES: usize = 1 << 18;

/// Values that all containers together may hold.
const MAX_ITEMS: usize = 1 << 20;

impl Pickle {
    /// Runs the pickle `bytes`.
    ///
    /// # Errors
    /// In words, with the place of the opcode that can't be followed.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut machine = Machine {
            bytes,
            at: 0,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            items: 0,
        };
        loop {
            let at = machine.at;
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

    /// The value that the pickle is of.
    pub(super) fn root(&self) -> Id {
        self.root
    }

    pub(super) fn get(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn int(&self, id: Id) -> Option<i64> {
        match self.get(id) {
            Node::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn list(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Node::List(items) => Some(items),
            _ => None,
        }
    }

    /// Module and name, if the value is an import.
    pub(super) fn global(&self, id: Id) -> Option<(&str, &str)> {
        match self.get(id) {
            Node::Global(module, name) => Some((self.text(*module)?, self.text(*name)?)),
            _ => None,
        }
    }
}

/// A run over one pickle.
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// Heights of the stack where a mark lies.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    /// Values in containers so far.
    items: usize,
}

type Step<T = ()> = Result<T, String>;

impl<'a> Machine<'a> {
    /// Runs one opcode; the value of the whole, at its end.
    fn step(&mut self) -> Step<Option<Id>> {
        let [opcode] = self.take_array()?;
        match opcode {
            // Protocol and frames say nothing about values.
            0x80 => self.skip(1)?,
            0x95 => self.skip(8)?,
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

            b'N' | 0x88 | 0x89 => self.push(Node::Other)?,
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
                self.long(len as usize)?;
            }
            b'G' => {
                self.skip(8)?;
                self.push(Node::Other)?;
            }
            b'I' | b'L' | b'F' => {
                let line = self.line()?;
                let value = line.strip_suffix('L').unwrap_or(line).parse();
                self.push(value.map_or(Node::Other, Node::Int))?;
            }

            b'X' | b'T' | 0x8c | b'U' | 0x8d => {
                let len = self.length(opcode)?;
                let text = std::str::from_utf8(self.take(len)?);
                self.push(text.map_or(Node::Other, |text| Node::Text(text.to_owned())))?;
            }
            b'B' | b'C' | 0x8e | 0x96 => {
                let len = self.length(opcode)?;
                self.skip(len)?;
                self.push(Node::Other)?;
            }
            b'V' => {
                let line = self.line()?.to_owned();
                self.push(Node::Text(line))?;
            }
            b'S' => {
                let line = self.line()?;
                let text = line.trim_matches(['\'', '"']).to_owned();
                self.push(Node::Text(text))?;
            }

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
                let line = self.line()?.to_owned();
                let name = self.add(Node::Text(line))?;
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

    fn take(&mut self, len: u64) -> Step<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        match usize::try_from(len).ok().and_then(|len| rest.get(..len)) {
            Some(bytes) => {
                self.at += bytes.len();
                Ok(bytes)
            }
            None => Err(format!(
                "{len} bytes are wanted, and {} are left",
                rest.len()
            )),
        }
    }

    fn take_array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let bytes = self.take(N as u64)?;
        bytes.try_into().map_err(|_| "bytes are missing".into())
    }

    fn skip(&mut self, len: u64) -> Step {
        self.take(len).map(drop)
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
                let place = self.line()?.parse();
                place.map_err(|_| "a place in the memo that is no number")?
            }
            b'q' | b'h' => self.take_array::<1>()?[0].into(),
            _ => u32::from_le_bytes(self.take_array()?).into(),
        })
    }

    /// The text up to the next line feed.
    fn line(&mut self) -> Step<&'a str> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&b| b == b'\n');
        let line = self.take(end.ok_or("a line that does not end")? as u64)?;
        self.skip(1)?;
        std::str::from_utf8(line).map_err(|_| "a line that is not UTF-8".into())
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
        match count < MAX_NODES {
            true => Ok(()),
            false => Err(format!("it has more than {MAX_NODES} {what}")),
        }
    }

    /// A module and a name in it, a line each.
    fn global(&mut self) -> Step<Id> {
        let [module, name] = [self.line()?, self.line()?].map(str::to_owned);
        let [module, name] = [self.add(Node::Text(module))?, self.add(Node::Text(name))?];
        self.add(Node::Global(module, name))
    }

    /// What lies above the last mark, and may be popped.
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

    /// What is popped together goes into a container.
    fn pop_many(&mut self, count: usize) -> Step<Vec<Id>> {
        match self.height() >= count {
            true => self.pop_from(self.stack.len() - count),
            false => Err("the stack is empty".into()),
        }
    }

    fn pop_to_mark(&mut self) -> Step<Vec<Id>> {
        let mark = self.marks.pop().ok_or("there is no mark on the stack")?;
        self.pop_from(mark)
    }

    fn pop_from(&mut self, height: usize) -> Step<Vec<Id>> {
        let items = self.stack.split_off(height);
        self.items += items.len();
        match self.items <= MAX_ITEMS {
            true => Ok(items),
            false => Err(format!("its containers hold more than {MAX_ITEMS} values")),
        }
    }

    /// Pushes a little-endian integer of `len` bytes.
    fn long(&mut self, len: usize) -> Step {
        let bytes = self.take(len as u64)?;
        if len > 8 {
            return self.push(Node::Other);
        }
        let fill = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let mut word = [if fill { 0xff } else { 0 }; 8];
        word[..len].copy_from_slice(bytes);
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
