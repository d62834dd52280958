//! Golden files, which `parity/` makes.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

/// The file or folder `tests/golden/NAME` of the crate that has it.
///
/// # Panics
/// If no crate does.
pub fn folder(name: &str) -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders = fs_err::read_dir(crates).unwrap();
    let folder = folders.find_map(|entry| {
        let folder = entry.unwrap().path().join("tests/golden").join(name);
        folder.exists().then_some(folder)
    });
    folder.unwrap_or_else(|| panic!("no crate has golden files called {name}"))
}

/// A safetensors file of golden values, of any of the types that Python wrote.
pub struct Golden(Vec<u8>);

impl Golden {
    pub fn open(folder_name: &str, file: &str) -> Self {
        Self(fs_err::read(folder(folder_name).join(file)).unwrap())
    }

    /// Shape and values of the tensor `name`.
    pub fn tensor(&self, name: &str) -> (Vec<usize>, Vec<f64>) {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = file.tensor(name).unwrap();
        let bytes = tensor.data();
        let values = match tensor.dtype() {
            Dtype::U8 => bytes.iter().map(|&b| f64::from(b)).collect(),
            Dtype::F32 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| f32::from_le_bytes(*b).into())
                .collect(),
            Dtype::I64 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| i64::from_le_bytes(*b) as f64)
                .collect(),
            other => panic!("golden tensor of {other:?}"),
        };
        (tensor.shape().to_vec(), values)
    }

    pub fn f32(&self, name: &str) -> Vec<f32> {
        self.tensor(name).1.into_iter().map(|v| v as f32).collect()
    }

    /// Rows of ids, padding included.
    pub fn rows(&self, name: &str) -> Vec<Vec<u32>> {
        let (shape, values) = self.tensor(name);
        let rows = values.chunks_exact(shape[shape.len() - 1]);
        rows.map(|row| row.iter().map(|&v| v as u32).collect())
            .collect()
    }

    /// Rows of ids, without the padding after the end token.
    pub fn ids(&self, name: &str, columns: usize) -> Vec<Vec<u32>> {
        let rows = self.rows(name).into_iter();
        rows.map(|row| {
            let row = &row[..columns];
            let end = row
                .iter()
                .position(|id| Some(id) == row.iter().max())
                .unwrap();
            row[..=end].to_vec()
        })
        .collect()
    }

    /// Names of all tensors.
    pub fn names(&self) -> Vec<String> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        file.names().into_iter().map(str::to_owned).collect()
    }
}

/// The largest absolute difference of two equally long lists.
pub fn max_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}
