//! A plan as a few lines, for goldens.

use std::fmt::Write;

use tidemill_plan::graph::{Condition, FunctionUse, NodeId, OnError, Operator, Output, Plan, Reducer};

pub fn plan(plan: &Plan) -> String {
    let mut text = format!("{}: every {} us, {} partitions\n", plan.name, plan.interval.micros(), plan.partitions);
    for node in &plan.nodes {
        let previously = node.previously.as_ref().map(|name| format!(" (was {name})")).unwrap_or_default();
        let inputs = inputs(plan, &node.inputs);
        let _ = writeln!(text, "{}{previously}{inputs} = {}", node.name, operator(&node.operator));
        let _ = writeln!(text, "    {}", node.schema);
    }
    for output in &plan.outputs {
        let _ = writeln!(text, "{}", show_output(plan, output));
    }
    text
}

fn inputs(plan: &Plan, inputs: &[NodeId]) -> String {
    let names: Vec<&str> = inputs.iter().map(|id| plan.nodes[id.0].name.as_str()).collect();
    if names.is_empty() { String::new() } else { format!("({})", names.join(", ")) }
}

fn operator(operator: &Operator) -> String {
    match operator {
        Operator::Map(map) => format!("map {} keep {:?}", function(&map.function), map.keep),
        Operator::Filter(Condition::Field(field)) => format!("filter field {field}"),
        Operator::Filter(Condition::Function(call)) => format!("filter {}", function(call)),
        Operator::Reduce(reduce) => match &reduce.reducer {
            Reducer::Guest(call) => format!("reduce by {:?} {}", reduce.by, function(call)),
            Reducer::Native(native) => format!("reduce by {:?} {native:?}", reduce.by),
        },
        Operator::UpdateState(update) => {
            let (by, call) = (&update.by, function(&update.function));
            format!("update-state by {by:?} {call} run {:?} emit {:?}", update.run, update.emit)
        }
        other => format!("{other:?}"),
    }
}

fn function(call: &FunctionUse) -> String {
    let parameters: Vec<String> =
        call.binding.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let (plugin, name, binding) = (&call.plugin, &call.signature.name, &call.binding);
    let keys = if binding.keys.is_empty() { String::new() } else { format!("{}; ", binding.keys) };
    let on_error = if call.on_error == OnError::default() { String::new() } else { format!(" {:?}", call.on_error) };
    format!("{plugin}/{name}[{keys}{} @ {:?}]({}){on_error}", binding.input, call.fields, parameters.join(", "))
}

fn show_output(plan: &Plan, output: &Output) -> String {
    let from = &plan.nodes[output.from.0].name;
    let function = output.function.as_ref().map(|call| format!(" through {}", function(call))).unwrap_or_default();
    format!("output {}: {from}{function} ({}) to {:?}", output.name, output.schema, output.sink)
}
