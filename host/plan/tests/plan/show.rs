//! A plan as a few lines, for goldens.

use std::fmt::Write;

use tidemill_plan::graph::{Condition, FunctionUse, Node, NodeId, OnError, Operator, Output, Plan, Reducer};

pub fn plan(plan: &Plan) -> String {
    let mut text = format!("{}: every {} us, {} partitions\n", plan.name, plan.interval.micros(), plan.partitions);
    for node in &plan.nodes {
        let previously = node.previously.as_ref().map(|name| format!(" (was {name})")).unwrap_or_default();
        let inputs = inputs(plan, &node.inputs);
        let _ = writeln!(text, "{}{previously}{inputs} = {}", node.name, operator(node));
        for input in &node.shared {
            let from = &plan.nodes[input.from.0].name;
            let _ = writeln!(text, "    shares {from} as {}: {} @ {:?}", input.name, input.rows, input.fields);
        }
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

fn operator(node: &Node) -> String {
    let call = node.function.as_ref().map(function).unwrap_or_default();
    match &node.operator {
        Operator::Map(map) => format!("map {call} keep {:?}", map.keep),
        Operator::Filter(Condition::Field(field)) => format!("filter field {field}"),
        Operator::Filter(Condition::Function) => format!("filter {call}"),
        Operator::Reduce(reduce) => {
            let counts_nothing = if reduce.counts_nothing { " counts nothing" } else { "" };
            match reduce.reducer {
                Reducer::Guest => format!("reduce by {:?} {call}", reduce.by),
                Reducer::Native(native) => format!("reduce by {:?} {native:?}{counts_nothing}", reduce.by),
                Reducer::Keys => format!("reduce by {:?} to keys", reduce.by),
            }
        }
        Operator::UpdateState(update) => {
            format!("update-state by {:?} {call} run {:?} emit {:?}", update.by, update.run, update.emit)
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
