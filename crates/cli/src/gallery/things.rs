//! Things that people use, and people.

use super::Drawing;

pub(super) const THINGS: &[Drawing] = &[
    Drawing {
        label: "teapot",
        shapes: r"<use href='#table'/><ellipse cx='100' cy='168' rx='74' ry='11' fill='url(#shadow)'/>
<path d='M150 92c26-14 44 4 40 28c-4 20-22 34-46 30l4-12c14 2 26-6 28-20c2-14-8-22-22-14z' fill='#2f64a8'/>
<path d='M50 126c-14-6-22-22-26-44c-2-8-8-10-14-12l12-10c16 2 22 14 26 30l14 10z' fill='#2f64a8'/>
<ellipse cx='100' cy='116' rx='58' ry='48' fill='#3b77c2'/><ellipse cx='100' cy='116' rx='58' ry='48' fill='url(#shine)'/>
<path d='M66 160h68v6c-20 6-48 6-68 0z' fill='#2a5896'/><path d='M66 74c8-22 60-22 68 0c-18 6-50 6-68 0z' fill='#2f64a8'/><circle cx='100' cy='50' r='9' fill='#e5b84a'/>
<path d='M44 106c34 10 78 10 112 0' stroke='#e8eef6' stroke-width='3' fill='none'/><g fill='#f6f8fb'><circle cx='100' cy='126' r='4'/><ellipse cx='100' cy='116' rx='4' ry='6'/><ellipse cx='100' cy='137' rx='4' ry='6'/><ellipse cx='90' cy='126' rx='6' ry='4'/><ellipse cx='110' cy='126' rx='6' ry='4'/></g>
<path d='M16 54c-8-10 8-16 0-28M28 50c-6-8 6-14 0-24' stroke='#fff' stroke-width='4' fill='none' stroke-linecap='round'/>",
    },
    Drawing {
        label: "umbrella",
        shapes: r"<rect width='200' height='200' fill='#8ea2b5'/><rect y='168' width='200' height='32' fill='#6b7c8c'/><ellipse cx='104' cy='184' rx='60' ry='8' fill='#8ea2b5'/>
<path d='M16 30l-6 18M44 14l-6 18M176 24l-6 18M190 70l-6 18M20 120l-6 18M180 130l-6 18M56 150l-6 18M150 154l-6 18M30 78l-6 16M128 10l-5 14M76 8l-5 14' stroke='#d3e2ee' stroke-width='2.5' stroke-linecap='round'/>
<path d='M100 40v124c0 18 26 18 26 0v-6' stroke='#6b4526' stroke-width='6' fill='none' stroke-linecap='round'/>
<path d='M14 108c2-54 40-82 86-82s84 28 86 82c-8-12-22-14-30-2c-8-14-22-14-28 0c-8-14-48-14-56 0c-6-14-20-14-28 0c-8-12-22-10-30 2z' fill='#d42a3a'/>
<path d='M100 26c-22 20-32 48-28 80c-6-14-20-14-28 0c-2-40 20-70 56-80zM100 26c22 20 32 48 28 80c6-14 20-14 28 0c2-40-20-70-56-80z' fill='#f2c53d'/><path d='M100 26V14' stroke='#6b4526' stroke-width='5' stroke-linecap='round'/>",
    },
    Drawing {
        label: "chair",
        shapes: r"<use href='#room'/><ellipse cx='104' cy='184' rx='64' ry='9' fill='url(#shadow)'/>
<path d='M130 116l10 66h9l-6-66zM78 116l-4 52h8l6-52z' fill='#6d4121'/>
<path d='M58 18h10l4 94H62zM126 18h10l-2 94h-10z' fill='#9a6233'/><path d='M58 18c20-8 58-8 78 0v18c-20-6-58-6-78 0z' fill='#b07840'/><path d='M76 34l4 76h7l-2-76zM94 32l1 78h7V32zM113 34l-2 76h7l2-76z' fill='#9a6233'/><path d='M62 72h72v9H62z' fill='#b07840'/>
<path d='M52 110h96l10 18H44z' fill='#c58a4e'/><path d='M44 128h114v9H44z' fill='#8a5529'/><path d='M60 113h80l6 10H56z' fill='#b5382f'/>
<path d='M46 136h12l-4 52h-9zM144 136h12l2 52h-9z' fill='#9a6233'/><path d='M54 164h94v6H53z' fill='#7a4a24'/>",
    },
    Drawing {
        label: "desk",
        shapes: r"<use href='#room'/><rect x='18' y='16' width='48' height='44' fill='#bfe1f2' stroke='#fff' stroke-width='5'/><path d='M42 16v44M18 38h48' stroke='#fff' stroke-width='3'/>
<ellipse cx='100' cy='184' rx='92' ry='8' fill='url(#shadow)'/>
<path d='M8 98h184v12H8z' fill='#c58a4e'/><path d='M8 108h184v4H8z' fill='#8a5529'/><rect x='14' y='112' width='56' height='70' fill='#a56a36'/><g fill='#b87c44' stroke='#7a4a24' stroke-width='2'><rect x='18' y='116' width='48' height='18'/><rect x='18' y='138' width='48' height='18'/><rect x='18' y='160' width='48' height='18'/></g><g fill='#e5c06a'><circle cx='42' cy='125' r='3'/><circle cx='42' cy='147' r='3'/><circle cx='42' cy='169' r='3'/></g>
<path d='M176 112h10v72h-10zM70 112h106v12H70z' fill='#94592c'/>
<path d='M88 46h62v42H88z' fill='#23272c'/><path d='M92 50h54v34H92z' fill='#5fa8dc'/><path d='M92 84l20-16l12 8l14-14l8 8v14z' fill='#4f8a4a'/><path d='M114 88h10v7h-10zM104 95h30v4h-30z' fill='#3a4047'/>
<path d='M162 98h22l-4-4h-14zM172 94l-4-26l12-14' stroke='#2a2d31' stroke-width='3' fill='#2a2d31' fill-opacity='0'/><path d='M162 96h22v3h-22z' fill='#2a2d31'/><path d='M168 46l22 4l-8 20l-16-12z' fill='#d8352b'/><circle cx='172' cy='72' r='16' fill='url(#glow)'/>
<path d='M26 90h40v8H26z' fill='#b5382f'/><path d='M30 82h34v8H30z' fill='#2f6fb5'/><path d='M28 75h34v7H28z' fill='#e5b84a'/>",
    },
    Drawing {
        label: "guitar",
        shapes: r"<use href='#studio'/>
<g transform='translate(84 118) rotate(38) scale(.72) translate(-100 -116)'><ellipse cx='102' cy='150' rx='56' ry='50' fill='#000' fill-opacity='.12'/>
<path d='M100 74c-22 0-34 12-32 28c1 8-2 12-8 18c-10 10-16 22-14 36c2 26 26 38 54 38s52-12 54-38c2-14-4-26-14-36c-6-6-9-10-8-18c2-16-10-28-32-28z' fill='#8a4a1a'/><path d='M100 79c-18 0-28 10-26 24c1 10-4 14-10 21c-9 9-13 19-12 31c2 22 22 33 48 33s46-11 48-33c1-12-3-22-12-31c-6-7-11-11-10-21c2-14-8-24-26-24z' fill='#d9933f'/>
<circle cx='100' cy='122' r='17' fill='#6b3a14'/><circle cx='100' cy='122' r='14' fill='#1d1008'/><path d='M80 160h40v8H80z' fill='#3a1f0c'/>
<path d='M92-30h16v140H92z' fill='#3f2412'/><path d='M92-18h16M92-2h16M92 14h16M92 29h16M92 43h16M92 56h16M92 68h16M92 79h16M92 89h16' stroke='#cfd3d6' stroke-width='1.8'/>
<path d='M88-60h24l-3 32H91z' fill='#5b3113'/><path d='M86-54h-5M86-46h-5M86-38h-5M114-54h5M114-46h5M114-38h5' stroke='#b9c1c9' stroke-width='5'/>
<path d='M95-58v220M98.3-58v220M101.7-58v220M105-58v220' stroke='#f2efe6' stroke-width='.9'/></g>",
    },
    Drawing {
        label: "grand piano",
        shapes: r"<use href='#room'/><path d='M0 0h26c6 40-2 90-8 146H0zM200 0h-26c-6 40 2 90 8 146h18z' fill='#8c2636'/><ellipse cx='100' cy='182' rx='88' ry='9' fill='url(#shadow)'/>
<path d='M30 132h10l-2 50h-7zM160 132h10l-1 50h-7zM112 132h9l-1 46h-7z' fill='#0c0c0e'/>
<path d='M36 104L60 22c40-12 84 0 112 30c10 12 12 30 6 52z' fill='#17171b'/><path d='M46 100L66 30c36-8 72 2 98 28c8 10 8 24 4 42z' fill='#2a2a31'/><path d='M66 30L46 100h20L82 28z' fill='#44444e'/>
<path d='M150 104l-16-46' stroke='#c9a24a' stroke-width='3'/>
<path d='M18 104h164c6 4 8 10 8 16v16H18z' fill='#0f0f12'/><path d='M52 100h118v6H52z' fill='#c9a24a'/>
<path d='M14 116h116v18H14z' fill='#fbfaf5'/><path d='M22 116v18M30 116v18M38 116v18M46 116v18M54 116v18M62 116v18M70 116v18M78 116v18M86 116v18M94 116v18M102 116v18M110 116v18M118 116v18' stroke='#8a8a8a'/><path d='M22 116v10M30 116v10M46 116v10M54 116v10M62 116v10M78 116v10M86 116v10M102 116v10M110 116v10M118 116v10' stroke='#0a0a0a' stroke-width='4.5'/><path d='M12 134h122v6H12z' fill='#0a0a0c'/>
<path d='M66 104l4-26h44l4 26z' fill='#1d1d22'/><path d='M76 82h16v18H76zM94 82h16v18H94z' fill='#fbfaf5'/>
<path d='M50 152h54v10H50z' fill='#26262b'/><path d='M54 162h5v24h-5zM95 162h5v24h-5z' fill='#0c0c0e'/>",
    },
    Drawing {
        label: "soccer ball",
        shapes: r"<use href='#meadow'/><ellipse cx='104' cy='178' rx='62' ry='10' fill='url(#shadow)'/>
<clipPath id='ball'><circle cx='100' cy='108' r='68'/></clipPath><circle cx='100' cy='108' r='68' fill='#fcfcfc'/>
<g clip-path='url(#ball)'><path d='M100 82l25 18l-9 29H84l-9-29zM100 32l18 14l-8 14H90l-8-14zM170 92l-16 6l-10-16l8-20l24 2zM30 92l16 6l10-16l-8-20l-24 2zM60 178l-4-24l16-8l20 14l-4 22zM140 178l4-24l-16-8l-20 14l4 22z' fill='#17181a'/><path d='M100 82V60M125 100l20-8M116 129l12 18M84 129l-12 18M75 100l-20-8M110 60l34 22M90 60L56 82M154 98l-10 56M46 98l10 56M92 160h16' stroke='#17181a' stroke-width='3'/></g>
<circle cx='100' cy='108' r='68' fill='url(#shine)'/><circle cx='100' cy='108' r='68' fill='none' stroke='#3a3d40' stroke-width='1.5'/>
<path d='M24 184l5-18l4 18zM36 186l4-14l5 14zM160 186l5-18l4 18zM174 184l5-14l4 14z' fill='#3d7d2a'/>",
    },
    Drawing {
        label: "basketball",
        shapes: r"<rect width='200' height='200' fill='#40566b'/><rect y='150' width='200' height='50' fill='#c98f52'/><path d='M0 166h200M0 184h200M40 150l-12 50M100 150v50M160 150l12 50' stroke='#a8703a' stroke-width='2'/>
<path d='M118 6h74v54h-74z' fill='#f4f6f8' stroke='#cc3a2c' stroke-width='4'/><path d='M142 28h26v22h-26z' fill='none' stroke='#cc3a2c' stroke-width='3'/><path d='M138 56h34' stroke='#e8552c' stroke-width='5'/><path d='M140 58l6 26M152 58l-4 26M160 58l2 26M170 58l-6 26M142 68h26M144 78h20' stroke='#fff' stroke-width='1.5'/>
<ellipse cx='86' cy='182' rx='58' ry='9' fill='url(#shadow)'/><circle cx='84' cy='118' r='64' fill='#e5742a'/>
<path d='M20 118h128M84 54v128M38 72c28 26 28 66 0 92M130 72c-28 26-28 66 0 92' stroke='#26170d' stroke-width='4' fill='none'/><circle cx='84' cy='118' r='64' fill='url(#shine)'/><circle cx='84' cy='118' r='64' fill='none' stroke='#26170d' stroke-width='2.5'/>",
    },
    Drawing {
        label: "clock",
        shapes: r"<rect width='200' height='200' fill='#9cbcb4'/><path d='M20 0v200M60 0v200M100 0v200M140 0v200M180 0v200' stroke='#8fb0a8' stroke-width='8'/>
<circle cx='104' cy='108' r='82' fill='#000' fill-opacity='.22'/><circle cx='100' cy='100' r='82' fill='#6b3e1f'/><circle cx='100' cy='100' r='76' fill='#8f5a30'/><circle cx='100' cy='100' r='68' fill='#fdfbf3'/>
<g stroke='#26221e'><g id='hours' stroke-width='5'><path d='M100 38v14M100 148v14M38 100h14M148 100h14'/></g><use href='#hours' transform='rotate(30 100 100)'/><use href='#hours' transform='rotate(60 100 100)'/></g><circle cx='100' cy='100' r='64' fill='none' stroke='#26221e' stroke-width='3' stroke-dasharray='1.2 5.502'/>
<path d='M100 100L68 74' stroke='#161412' stroke-width='7' stroke-linecap='round'/><path d='M100 100l36-34' stroke='#161412' stroke-width='5' stroke-linecap='round'/><path d='M92 112l8-12l-2 50' stroke='#c8282e' stroke-width='2' fill='none'/><circle cx='100' cy='100' r='6' fill='#c8282e'/>",
    },
    Drawing {
        label: "sunglasses",
        shapes: r"<rect width='200' height='200' fill='url(#sand)'/><path d='M0 40c50-12 80 10 120 0s60-8 80 0M0 180c40-10 90 8 130 0s50-4 70 0' stroke='#c9a565' stroke-width='3' fill='none'/>
<path d='M30 92L8 52c-4-8 4-12 8-6l26 40zM170 92l22-40c4-8-4-12-8-6l-26 40z' fill='#1c1a1a'/>
<path d='M14 132c-4-30 4-44 34-46c30-2 42 6 44 28c0 28-16 42-40 42c-22 0-34-8-38-24z' fill='#000' fill-opacity='.2' transform='translate(5 7)'/><path d='M186 132c4-30-4-44-34-46c-30-2-42 6-44 28c0 28 16 42 40 42c22 0 34-8 38-24z' fill='#000' fill-opacity='.2' transform='translate(5 7)'/>
<path d='M88 96c8-6 16-6 24 0v10c-8-6-16-6-24 0z' fill='#1c1a1a'/>
<path id='lens' d='M14 126c-4-30 4-42 34-44c30-2 44 6 44 28c0 28-16 42-40 42c-22 0-34-8-38-26z' fill='#33302f' stroke='#151313' stroke-width='7'/><use href='#lens' transform='matrix(-1 0 0 1 200 0)'/>
<path d='M28 100l20-10l-22 40zM56 90h10l-34 50l-6-8zM128 90h16l-24 42l-2-12zM158 92h8l-30 48l-6-4z' fill='#9fb4c4' fill-opacity='.55'/>",
    },
    Drawing {
        label: "candle",
        shapes: r"<rect width='200' height='200' fill='#241a20'/><circle cx='100' cy='62' r='96' fill='url(#glow)' fill-opacity='.75'/><rect y='168' width='200' height='32' fill='#4a2e1a'/><path d='M0 168h200' stroke='#8a5a30' stroke-width='3'/>
<ellipse cx='100' cy='176' rx='60' ry='10' fill='#b98c3a'/><ellipse cx='100' cy='172' rx='60' ry='10' fill='#e2b85a'/><ellipse cx='100' cy='171' rx='44' ry='6' fill='#a67a2c'/><path d='M154 168c22-8 30 14 12 18' stroke='#d9ab4a' stroke-width='6' fill='none'/>
<path d='M76 92h48v78c-14 6-34 6-48 0z' fill='#f4ead2'/><path d='M110 92h14v78c-4 2-8 3-14 4z' fill='#cdb98e'/><ellipse cx='100' cy='92' rx='24' ry='7' fill='#fdf6e0'/><path d='M76 92c-2 14-4 28 2 30s4-14 8-16s4 22 9 20s1-22 7-24z' fill='#fffaf0'/>
<path d='M100 92V74' stroke='#2a1c14' stroke-width='3.5'/><path d='M100 16c22 24 22 40 16 52c-6 12-26 12-32 0c-6-14 2-28 16-52z' fill='#f78b1e'/><path d='M100 32c14 18 14 28 10 36c-4 9-16 9-20 0c-4-10 2-20 10-36z' fill='#ffd34a'/><path d='M100 52c6 8 6 14 4 18c-2 5-6 5-8 0c-2-5 0-10 4-18z' fill='#fff8dc'/>",
    },
    Drawing {
        label: "person",
        shapes: r"<use href='#meadow'/>
<path d='M44 200c0-46 22-62 56-64c34 2 56 18 56 64z' fill='#2f6fb5'/><path d='M84 138c4 18 28 18 32 0l10 4c-6 28-46 28-52 0z' fill='#f4f6f8'/><path d='M100 160v40M60 200c0-14 2-24 6-30M140 200c0-14-2-24-6-30' stroke='#1f4f86' stroke-width='2.5' fill='none'/>
<path d='M86 112h28v28c-6 12-22 12-28 0z' fill='#d69a72'/>
<path d='M56 76c-6-44 20-62 44-62s50 18 44 62c0 12-4 22-8 28H64c-4-6-8-16-8-28z' fill='#4a2c18'/>
<ellipse cx='100' cy='82' rx='36' ry='42' fill='#ecb68c'/><ellipse cx='63' cy='86' rx='6' ry='10' fill='#e0a67c'/><ellipse cx='137' cy='86' rx='6' ry='10' fill='#e0a67c'/>
<path d='M62 78c2-26 18-34 30-36c18 10 36 8 46 36c4-36-12-58-38-58s-42 22-38 58z' fill='#4a2c18'/>
<ellipse cx='86' cy='80' rx='6.5' ry='4.5' fill='#fff'/><ellipse cx='114' cy='80' rx='6.5' ry='4.5' fill='#fff'/><circle cx='86' cy='80' r='3.6' fill='#4a3018'/><circle cx='114' cy='80' r='3.6' fill='#4a3018'/><path d='M78 70c4-4 11-4 15-1M122 70c-4-4-11-4-15-1' stroke='#3a2010' stroke-width='3' fill='none' stroke-linecap='round'/>
<path d='M100 82l-4 15c2 3 6 3 9 1' stroke='#b9794f' stroke-width='2.5' fill='none'/><path d='M86 106c8 8 20 8 28 0c-4 12-24 12-28 0z' fill='#fff' stroke='#b5483f' stroke-width='2.5'/><circle cx='76' cy='98' r='6' fill='#e88a72' fill-opacity='.5'/><circle cx='124' cy='98' r='6' fill='#e88a72' fill-opacity='.5'/>",
    },
    Drawing {
        label: "snowman",
        shapes: r"<rect width='200' height='200' fill='#9fb9d3'/><path d='M0 130l30-34l26 30l40-48l44 48l30-30l30 30v40H0z' fill='#b9cde0'/><path d='M14 150l14-50l14 50zM158 148l16-58l16 58z' fill='#3a6450'/><path d='M28 100l-5 17h10zM174 90l-6 20h12z' fill='#fff'/><path d='M0 150c60-14 140-14 200 0v50H0z' fill='#f6fafd'/>
<ellipse cx='100' cy='186' rx='64' ry='9' fill='#c3d3e2'/>
<path d='M66 104L22 78m12 8l-12-2m16 4l-4-14M134 104l44-28m-12 8l12-2m-16 4l4-14' stroke='#5b3a1e' stroke-width='4' stroke-linecap='round'/>
<circle cx='100' cy='148' r='44' fill='#fff'/><circle cx='100' cy='148' r='44' fill='#8fa9c4' fill-opacity='.25'/><circle cx='95' cy='143' r='38' fill='#fff'/><circle cx='100' cy='98' r='33' fill='#f1f6fa'/><circle cx='97' cy='95' r='29' fill='#fff'/><circle cx='100' cy='56' r='26' fill='#f1f6fa'/><circle cx='98' cy='54' r='23' fill='#fff'/>
<path d='M78 74c14 10 30 10 44 0l3 9c-8 5-12 6-16 7l6 30l-12 3l-6-32c-8 0-14-3-22-8z' fill='#d0283a'/><path d='M72 40h56v6H72zM80 8h40v34H80z' fill='#23262b'/><path d='M80 32h40v8H80z' fill='#d0283a'/>
<circle cx='90' cy='54' r='3.5' fill='#1a1a1a'/><circle cx='110' cy='54' r='3.5' fill='#1a1a1a'/><path d='M100 58l28 6l-28 4z' fill='#f08a24'/><g fill='#1a1a1a'><circle cx='88' cy='68' r='1.8'/><circle cx='94' cy='72' r='1.8'/><circle cx='101' cy='73' r='1.8'/><circle cx='96' cy='104' r='3'/><circle cx='97' cy='134' r='3.5'/><circle cx='97' cy='150' r='3.5'/></g>
<g fill='#fff'><circle cx='20' cy='30' r='2.5'/><circle cx='50' cy='56' r='2'/><circle cx='150' cy='24' r='2.5'/><circle cx='178' cy='54' r='2'/><circle cx='40' cy='14' r='2'/><circle cx='166' cy='10' r='2'/><circle cx='10' cy='76' r='2'/><circle cx='190' cy='112' r='2'/></g>",
    },
];
