//! Maps and outputs: rows in, rows out.

use std::marker::PhantomData;

use crate::{
    bindings::{
        exports::tidemill::plugin::operators::{Binding, CallContext, Mapped, Origins},
        tidemill::plugin::data::{Batch, Failure},
    },
    context::Context,
    parameters::Parameters,
    value::{ColumnWriter, Columns, Malformed, Read, ReadRow, WriteRow},
};

use super::{
    Function, Operator, failure,
    rows::{Capacity, MappedRows, Rows},
};

/// The types of a function from rows to rows.
pub trait RowsFunction: Function + 'static {
    /// What it takes from the pipeline.
    type Parameters: Parameters;
    /// One row of the input: the parameters.
    type Input<'a>: ReadRow<'a> + WriteRow;
    /// A returned row.
    type Output<'a>: Read<'a>;
    /// The returned rows under construction.
    type Writer: ColumnWriter;
}

/// A function from one row to any number of rows.
pub trait MapFunction: RowsFunction {
    /// Calls the function for one row. The error is a reason to reject the row.
    fn call(
        context: &Context<Self::Parameters>,
        row: Self::Input<'_>,
        rows: &mut Rows<Self::Writer>,
    ) -> Result<(), String>;
}

/// A function from all rows of a partition to any number of rows.
pub trait WholeFunction: RowsFunction {
    /// Calls the function for a partition. The error fails the call.
    fn call<'a>(
        context: &Context<Self::Parameters>,
        input: impl Iterator<Item = Self::Input<'a>>,
        rows: &mut Rows<Self::Writer>,
    ) -> Result<(), String>;
}

/// Opens a map or an output.
pub fn open_map<F: MapFunction>(binding: &Binding) -> Result<Box<dyn Operator>, String> {
    Ok(Box::new(MapOperator::<F> {
        context: Context::try_new(binding)?,
        capacity: Capacity::default(),
        function: PhantomData,
    }))
}

/// Opens a map over whole partitions.
pub fn open_whole<F: WholeFunction>(binding: &Binding) -> Result<Box<dyn Operator>, String> {
    Ok(Box::new(WholeOperator::<F> { context: Context::try_new(binding)?, chunks: Vec::new(), function: PhantomData }))
}

struct MapOperator<F: RowsFunction> {
    context: Context<F::Parameters>,
    capacity: Capacity,
    function: PhantomData<F>,
}

struct WholeOperator<F: RowsFunction> {
    context: Context<F::Parameters>,
    /// The partition's batch so far.
    chunks: Vec<Batch>,
    function: PhantomData<F>,
}

impl<F: MapFunction> Operator for MapOperator<F> {
    fn share(&mut self, name: &str, rows: &Batch) -> Result<(), Failure> {
        self.context.share(name, rows)
    }

    fn map_rows(&mut self, call: CallContext, input: Batch) -> Result<Mapped, Failure> {
        self.context.enter(call);
        let reader = open_rows::<F::Input<'_>>(&input)?;
        let mut mapped = MappedRows::<F::Writer>::with_capacity(self.capacity.for_input(&input));
        if let Some(reader) = reader {
            for row in 0..input.rows {
                let first = mapped.rows.count();
                let value = ReadRow::read_row(&reader, row as usize);
                if let Err(reason) = F::call(&self.context, value, &mut mapped.rows) {
                    mapped.reject(row, reason);
                }
                mapped.came_from(row, first);
            }
        }
        self.capacity = mapped.rows.capacity();
        Ok(mapped.finish())
    }
}

impl<F: WholeFunction> Operator for WholeOperator<F> {
    fn share(&mut self, name: &str, rows: &Batch) -> Result<(), Failure> {
        self.context.share(name, rows)
    }

    fn map_rows(&mut self, call: CallContext, input: Batch) -> Result<Mapped, Failure> {
        self.context.enter(call);
        if call.chunk == 0 {
            self.chunks.clear();
        }
        self.chunks.push(input);
        let mut rows = Rows::<F::Writer>::default();
        if !call.last {
            // No rows yet, in the columns that every answer of a map has.
            return Ok(Mapped { rows: rows.finish(), origins: Origins::Many, rejected: Vec::new() });
        }
        let chunks = std::mem::take(&mut self.chunks);
        let mut readers = Vec::new();
        for chunk in &chunks {
            readers.extend(open_rows::<F::Input<'_>>(chunk)?.map(|reader| (reader, chunk.rows as usize)));
        }
        let input = readers.iter().flat_map(|(reader, rows)| (0..*rows).map(|row| ReadRow::read_row(reader, row)));
        F::call(&self.context, input, &mut rows).map_err(failure)?;
        Ok(Mapped { rows: rows.finish(), origins: Origins::Many, rejected: Vec::new() })
    }
}

/// The reader of a batch; none for a batch without rows.
pub(super) fn open_rows<'a, T: ReadRow<'a>>(batch: &'a Batch) -> Result<Option<T::Reader>, Malformed> {
    match batch.rows {
        0 => Ok(None),
        rows => T::open_columns(&mut Columns::of(batch), rows as usize).map(Some),
    }
}
