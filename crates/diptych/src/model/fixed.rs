//! Fields of open_clip's `model_cfg` that name one of several architectures, of which we build one.
//!
//! Source: the dataclasses `CLIPVisionCfg`, `CLIPTextCfg` and the arguments of `CLIP` in
//! open_clip's `model.py`, 3.3.0.
//! Invariant: at the value listed here a field is taken out; at another it is refused by name.

use serde_json::{Value, json};

/// The fields of one part of `model_cfg`, each with the value that our towers have.
fn fields(part: &str) -> Value {
    match part {
        "vision_cfg" => json!({
            "ls_init_value": null, "attentional_pool": false, "no_ln_pre": false,
            "pos_embed_type": "learnable", "final_ln_after_pool": false, "output_tokens": false, "timm_model_name": null,
        }),
        "text_cfg" => json!({
            "ls_init_value": null, "embed_cls": false, "final_ln_after_pool": false, "proj_type": "linear",
            "output_tokens": false, "hf_model_name": null, "tokenizer_mode": null,
        }),
        _ => json!({
            "nonscalar_logit_scale": false, "multimodal_cfg": null,
        }),
    }
}

/// Fields of both towers, likewise.
fn fields_of_towers() -> Value {
    json!({
        "block_type": null, "qk_norm": false,
        "scaled_cosine_attn": false, "scale_heads": false, "scale_attn_inner": false,
        "scale_attn": false, "scale_fc": false,
    })
}

/// Fields of which we build some values: the part, the field, the values.
const CHOICES: &[(&str, &str, &[&str])] = &[
    ("vision_cfg", "pool_type", &["tok", "map"]),
    ("text_cfg", "pool_type", &["argmax", "last"]),
];

/// Fields that change no number of a finished model, whatever their value: initialisation,
/// training, options of what was refused or left out above.
const WITHOUT_EFFECT: &[&str] = &[
    "output_dict",
    // The text tower in a module of its own: another name for every tensor of it, and the same
    // numbers.
    "custom_text",
    "patch_dropout",
    "attn_pooler_queries",
    "attn_pooler_heads",
    "timm_model_pretrained",
    "timm_pool",
    "timm_proj",
    "timm_proj_bias",
    "timm_drop",
    "timm_drop_path",
    "pad_id",
    "eos_id",
    "hf_model_pretrained",
    "hf_proj_type",
    "hf_pooler_type",
];

/// Takes such fields out of `model_cfg`.
///
/// # Errors
/// A sentence that names the first field with another value than ours.
pub(super) fn take_out(model_cfg: &mut Value) -> Result<(), String> {
    take_out_part(model_cfg, "model_cfg", &[fields("model_cfg")])?;
    for part in ["vision_cfg", "text_cfg"] {
        if let Some(tower) = model_cfg.get_mut(part) {
            take_out_part(tower, part, &[fields(part), fields_of_towers()])?;
        }
    }
    // An empty field says the same as none.
    if let Some(vision) = model_cfg
        .get_mut("vision_cfg")
        .and_then(Value::as_object_mut)
    {
        vision.retain(|_, value| !value.is_null());
    }
    Ok(())
}

fn take_out_part(part: &mut Value, name: &str, tables: &[Value]) -> Result<(), String> {
    let Some(part) = part.as_object_mut() else {
        return Ok(());
    };
    for (field, ours) in tables.iter().filter_map(Value::as_object).flatten() {
        if let Some(value) = part.remove(field)
            && value != *ours
        {
            return Err(format!(
                "`{name}.{field}` is {value}, and only {ours} is supported"
            ));
        }
    }
    for (_, field, ours) in CHOICES.iter().filter(|(of, ..)| *of == name) {
        if let Some(value) = part.get(*field)
            && !value.as_str().is_some_and(|value| ours.contains(&value))
        {
            return Err(format!(
                "`{name}.{field}` is {value}, and only {} are supported",
                ours.join(" and ")
            ));
        }
    }
    part.retain(|field, _| !WITHOUT_EFFECT.contains(&field.as_str()));
    Ok(())
}
