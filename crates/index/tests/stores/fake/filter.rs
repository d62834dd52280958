//! Which points fulfil a filter.

use std::collections::HashMap;

use qdrant_client::qdrant::condition::ConditionOneOf;
use qdrant_client::qdrant::r#match::MatchValue;
use qdrant_client::qdrant::value::Kind;
use qdrant_client::qdrant::{Condition, FieldCondition, Filter, Range, Value};
use tonic::Status;

use super::points::Collection;

pub(super) type Fields = HashMap<String, Value>;

/// Whether a point fulfils a filter.
pub(super) fn holds(collection: &Collection, filter: &Filter, of: &Fields) -> Result<bool, Status> {
    let holds = |condition: &Condition| condition_holds(collection, condition, of);
    let count = |conditions: &[Condition]| -> Result<usize, Status> {
        let mut n = 0;
        for condition in conditions {
            n += usize::from(holds(condition)?);
        }
        Ok(n)
    };
    let should = filter.should.is_empty() || count(&filter.should)? > 0;
    Ok(should && count(&filter.must)? == filter.must.len() && count(&filter.must_not)? == 0)
}

fn condition_holds(
    collection: &Collection,
    condition: &Condition,
    of: &Fields,
) -> Result<bool, Status> {
    let Some(ConditionOneOf::Field(field)) = &condition.condition_one_of else {
        return Err(Status::unimplemented(format!("{condition:?}")));
    };
    if !collection.indices.contains(&field.key) {
        return Err(Status::invalid_argument(format!("no index: {}", field.key)));
    }
    let values = values(of, &field.key);
    let mut any = false;
    for value in values.iter().filter_map(|value| value.kind.as_ref()) {
        any |= field_holds(field, value)?;
    }
    Ok(any)
}

fn field_holds(field: &FieldCondition, value: &Kind) -> Result<bool, Status> {
    let matches = match field.r#match.as_ref().and_then(|m| m.match_value.as_ref()) {
        None => true,
        Some(MatchValue::Keyword(word)) => *value == Kind::StringValue(word.clone()),
        Some(MatchValue::Integer(number)) => *value == Kind::IntegerValue(*number),
        Some(MatchValue::Keywords(words)) => {
            matches!(value, Kind::StringValue(value) if words.strings.contains(value))
        }
        Some(other) => return Err(Status::unimplemented(format!("{other:?}"))),
    };
    let in_range = |range: &Range| match value {
        Kind::IntegerValue(value) => {
            let value = *value as f64;
            range.gte.is_none_or(|limit| value >= limit)
                && range.gt.is_none_or(|limit| value > limit)
                && range.lte.is_none_or(|limit| value <= limit)
                && range.lt.is_none_or(|limit| value < limit)
        }
        _ => false,
    };
    Ok(matches && field.range.as_ref().is_none_or(in_range))
}

/// The values at a key as `a` or `a[].b`; of a list each.
pub(super) fn values<'a>(of: &'a Fields, key: &str) -> Vec<&'a Value> {
    let mut steps = key.split('.');
    let first = steps.next().unwrap_or_default();
    let mut values: Vec<&Value> = of.get(first.trim_end_matches("[]")).into_iter().collect();
    for step in steps {
        values = each(values)
            .into_iter()
            .filter_map(|value| match value.kind.as_ref()? {
                Kind::StructValue(inner) => inner.fields.get(step),
                _ => None,
            })
            .collect();
    }
    each(values)
}

fn each(values: Vec<&Value>) -> Vec<&Value> {
    let mut all = Vec::new();
    for value in values {
        match &value.kind {
            Some(Kind::ListValue(list)) => all.extend(&list.values),
            _ => all.push(value),
        }
    }
    all
}
